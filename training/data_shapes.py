"""How many rows a run reads and how long they are: counted by a report, else guessed from the characters of a few."""

from math import ceil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from annotation.models import Dataset
from core.models import Job
from generation.models import PromptSet
from training.algorithms.config import Config
from training.algorithms.estimate import CHARACTERS_PER_TOKEN, DataShape
from training.models import DataReport, TrainingRun

NUM_SAMPLED = 2_000  # rows whose lengths are looked at where no report has counted them
REPLY_COLUMNS = ("chosen", "rejected", "completion")


def data_shape(
    algorithm: str,
    config: Config,
    *,
    dataset: Dataset | None,
    prompt_set: PromptSet | None,
    report: DataReport | None,
) -> DataShape:
    """How many rows there are, and how long: counted by a report, else guessed from characters."""
    num_train, num_held_out = _rows_by_split(dataset, prompt_set)
    num_bytes = _size(dataset)
    shared: dict[str, Any] = {"num_bytes": num_bytes}
    written = report.report if report is not None and report.status == Job.Status.FINISHED else {}
    if written:
        num_train, num_held_out = (written["splits"][name]["rows"] for name in ("train", "held_out"))
    shared |= {"num_train": num_train, "num_held_out": num_held_out}
    if written and written["tokens"] and written["tokens"]["tree"]:
        shape = _counted(written, shared)
    else:
        shape = _guessed(config, _lengths(dataset, prompt_set), shared)
    return shape if algorithm != TrainingRun.Algorithm.PPO else _with_replies(shape, config.max_completion_tokens)


def _rows_by_split(dataset: Dataset | None, prompt_set: PromptSet | None) -> tuple[int, int]:
    if prompt_set is not None:
        total = prompt_set.prompts.count()
        num_held_out = round(total * prompt_set.held_out_fraction)
        return total - num_held_out, num_held_out
    rows = dataset.counts.get("rows", {}) if dataset else {}
    if isinstance(rows, dict) and rows:
        return int(rows.get("train", 0)), int(rows.get("held_out", 0))
    return (dataset.num_rows if dataset else 0), 0


def _size(dataset: Dataset | None) -> int:
    try:
        return dataset.parquet_path.stat().st_size if dataset else 0
    except OSError:
        return 0


def _counted(written: dict[str, Any], shared: dict[str, Any]) -> DataShape:
    tokens = written["tokens"]
    rows = sum(split["rows"] for split in written["splits"].values())
    replies = sum(split["completions"] for split in written["splits"].values())
    prompt = tokens["prompt_cut"]["mean"]
    whole = tokens["tree"]["mean"]
    return DataShape(
        **shared,
        row_tokens=whole,
        long_row=(tokens["tree"]["p95"] + tokens["tree"]["max"]) / 2,
        completion_tokens=max(0.0, whole - prompt) if rows and replies else 0.0,
        longest_row=int(tokens["tree"]["max"]),
        is_counted=True,
    )


def _guessed(config: Config, lengths: list[tuple[int, list[int]]], shared: dict[str, Any]) -> DataShape:
    """From characters of some rows: so many a token, cut at the limits."""
    rows = [
        (
            _tokens(prompt, config.max_prompt_tokens),
            sum(_tokens(reply, config.max_completion_tokens) for reply in replies),
        )
        for prompt, replies in lengths
    ] or [(config.max_prompt_tokens, config.max_completion_tokens)]
    lengths_of_rows = sorted(prompt + replies for prompt, replies in rows)
    return DataShape(
        **shared,
        row_tokens=sum(lengths_of_rows) / len(rows),
        long_row=(lengths_of_rows[int(0.95 * (len(rows) - 1))] + lengths_of_rows[-1]) / 2,
        completion_tokens=sum(replies for _, replies in rows) / len(rows),
        longest_row=lengths_of_rows[-1],
        is_counted=False,
    )


def _tokens(characters: int, limit: int) -> int:
    return min(limit, ceil(characters / CHARACTERS_PER_TOKEN) + 1)


def _with_replies(shape: DataShape, max_completion_tokens: int) -> DataShape:
    """PPO's rows are prompts: their replies are taken to be as long as they may become."""
    return DataShape(
        num_train=shape.num_train,
        num_held_out=shape.num_held_out,
        row_tokens=shape.row_tokens - shape.completion_tokens + max_completion_tokens,
        long_row=shape.long_row + max_completion_tokens,
        completion_tokens=max_completion_tokens,
        longest_row=shape.longest_row + max_completion_tokens,
        is_counted=shape.is_counted,
        num_bytes=shape.num_bytes,
    )


def _lengths(dataset: Dataset | None, prompt_set: PromptSet | None) -> list[tuple[int, list[int]]]:
    """Characters of the prompt and of each completion, for some of the rows."""
    if prompt_set is not None:
        rows = prompt_set.prompts.order_by("pk")[:NUM_SAMPLED]
        return [(sum(len(str(turn["content"])) for turn in prompt.messages), []) for prompt in rows]
    if dataset is None:
        return []
    try:
        return _lengths_in(dataset.parquet_path)
    except (OSError, pa.ArrowException):
        return []


def _lengths_in(path: Path) -> list[tuple[int, list[int]]]:
    with pq.ParquetFile(path) as file:
        known = file.schema_arrow.names
        wanted = [name for name in ("prompt", *REPLY_COLUMNS, "completions") if name in known]
        batch = next(file.iter_batches(NUM_SAMPLED, columns=wanted), None)
    if batch is None:
        return []
    prompts = [length or 0 for length in pc.utf8_length(batch["prompt"]).to_pylist()]
    if "completions" in wanted:
        return [(prompts[i], [len(text) for text in row]) for i, row in enumerate(batch["completions"].to_pylist())]
    replies = [pc.utf8_length(batch[name]).to_pylist() for name in wanted if name in REPLY_COLUMNS]
    return [(prompts[i], [length or 0 for length in row]) for i, row in enumerate(zip(*replies, strict=True))]
