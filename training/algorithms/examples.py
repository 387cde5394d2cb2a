"""Rows of `data.parquet` as examples, checked: every error names its row."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from training.algorithms.chat import Conversation
from training.algorithms.failures import TrainingFailure

Example = TypeVar("Example")
SPLITS = ("train", "held_out")
FEWEST_ROWS = 2  # to train on; with one there is nothing to learn but that one


class DataError(TrainingFailure):
    """The data cannot be trained on."""

    def __init__(self, error: str) -> None:
        super().__init__("data_error", error)


class Split(NamedTuple, Generic[Example]):
    """Examples to train on and examples that are only evaluated."""

    train: list[Example]
    held_out: list[Example]


@dataclass(frozen=True, kw_only=True)
class Demonstration:
    """A prompt and the reply to learn."""

    prompt: Conversation
    completion: str


@dataclass(frozen=True, kw_only=True)
class PreferencePair:
    """A prompt, the better and the worse reply, and what is known about the judgment."""

    prompt: Conversation
    chosen: str
    rejected: str
    weight: float
    p_chosen: float = 1.0  # probability that the chosen one is better, half of p_tied included
    p_tied: float = 0.0  # probability that neither is
    strength: float = 0.0  # steps of the question's scale, from 1; 0 = none was asked for


@dataclass(frozen=True, kw_only=True)
class RankedReplies:
    """A prompt and K replies in a weak order."""

    prompt: Conversation
    completions: tuple[str, ...]
    tiers: tuple[tuple[int, ...], ...]  # indexes of completions, best first, ties inside a tier
    weight: float


@dataclass(frozen=True, kw_only=True)
class LabelledReply:
    """A prompt and one reply that is wanted or not."""

    prompt: Conversation
    completion: str
    is_desirable: bool
    weight: float


def read_demonstrations(path: Path) -> Split[Demonstration]:
    """Rows prompt, completion, split. Raises `DataError`."""
    return read_split(path, parse_demonstration, columns=("prompt", "completion", "split"))


def read_pairs(path: Path) -> Split[PreferencePair]:
    """Rows prompt, chosen, rejected, weight, split and perhaps p_chosen, p_tied, strength. Raises `DataError`."""
    columns = ("prompt", "chosen", "rejected", "weight", "split")
    return read_split(path, parse_pair, columns=columns, optional=("p_chosen", "p_tied", "strength"))


def read_rankings(path: Path) -> Split[RankedReplies]:
    """Rows prompt, completions, tiers, weight, split. Raises `DataError`."""
    return read_split(path, parse_ranking, columns=("prompt", "completions", "tiers", "weight", "split"))


def read_labels(path: Path) -> Split[LabelledReply]:
    """Rows prompt, completion, label, weight, split. Raises `DataError`."""
    return read_split(path, parse_label, columns=("prompt", "completion", "label", "weight", "split"))


def holds_rankings(path: Path) -> bool:
    """Whether the rows are rankings; otherwise they are pairs, or not readable."""
    try:
        return "tiers" in pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return False


def read_prompts(path: Path) -> Split[Conversation]:
    """Rows prompt, split. Raises `DataError`."""
    return read_split(path, lambda row: parse_prompt(row["prompt"]), columns=("prompt", "split"))


def read_split(
    path: Path,
    parse: Callable[[Mapping[str, Any]], Example],
    *,
    columns: Sequence[str],
    optional: Sequence[str] = (),
) -> Split[Example]:
    """Parse every row into its split; there must be something to train on."""
    split: Split[Example] = Split([], [])
    for number, row in enumerate(read_rows(path, columns, optional), start=1):
        try:
            if row["split"] not in SPLITS:
                raise DataError(f"split must be train or held_out, got {row['split']!r}.")
            (split.train if row["split"] == "train" else split.held_out).append(parse(row))
        except DataError as error:
            advice = "Mend the row or leave it out, and freeze the dataset again."
            raise DataError(f"{path.name}, row {number}: {error} {advice}") from error
    if len(split.train) < FEWEST_ROWS:
        advice = "Freeze a dataset with more prompts, or with a smaller held-out fraction."
        raise DataError(
            f"{path.name} has {len(split.train)} of the {FEWEST_ROWS} rows at least whose split is train. {advice}"
        )
    return split


def read_rows(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The named columns of a Parquet file, those of `optional` where it has them, a dictionary a row."""
    try:
        known = pq.read_schema(path).names
        table = pq.read_table(path, columns=[*columns, *(name for name in optional if name in known)])
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} cannot be read as Parquet: {error}") from error
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise DataError(f"{path.name} lacks the column(s) {', '.join(missing)}.")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def parse_demonstration(row: Mapping[str, Any]) -> Demonstration:
    """A demonstration with text in it."""
    return Demonstration(prompt=parse_prompt(row["prompt"]), completion=parse_text(row, "completion"))


def parse_pair(row: Mapping[str, Any]) -> PreferencePair:
    """A pair of different replies; the rejected one may be silence."""
    chosen = parse_text(row, "chosen")
    rejected = row["rejected"]
    if not isinstance(rejected, str):
        raise DataError(f"rejected must be a text, got {rejected!r}.")
    if chosen == rejected:
        raise DataError("chosen and rejected are the same text.")
    p_chosen, p_tied = (parse_probability(row, name, default) for name, default in (("p_chosen", 1), ("p_tied", 0)))
    if not p_tied / 2 <= p_chosen <= 1 - p_tied / 2:
        raise DataError(f"p_chosen ({p_chosen}) counts half of p_tied ({p_tied}), so that it lies between its halves.")
    return PreferencePair(
        prompt=parse_prompt(row["prompt"]),
        chosen=chosen,
        rejected=rejected,
        weight=parse_number(row, "weight"),
        p_chosen=p_chosen,
        p_tied=p_tied,
        strength=parse_number({"strength": row.get("strength") or 0.0}, "strength"),
    )


def parse_ranking(row: Mapping[str, Any]) -> RankedReplies:
    """Two replies or more, each in one tier; a reply may be silence, but not two the same."""
    completions, tiers = row["completions"], row["tiers"]
    if not isinstance(completions, list) or not all(isinstance(text, str) for text in completions):
        raise DataError(f"completions must be a list of texts, got {completions!r}.")
    if len(completions) < 2 or len(set(completions)) < len(completions):
        raise DataError("completions must be two texts or more, each another.")
    if not isinstance(tiers, list) or not all(isinstance(tier, list) and tier for tier in tiers):
        raise DataError(f"tiers must be lists of indexes, best first, got {tiers!r}.")
    if sorted((index for tier in tiers for index in tier), key=repr) != sorted(range(len(completions)), key=repr):
        raise DataError(f"tiers must name each of the completions 0–{len(completions) - 1} once, got {tiers!r}.")
    return RankedReplies(
        prompt=parse_prompt(row["prompt"]),
        completions=tuple(completions),
        tiers=tuple(map(tuple, tiers)),
        weight=parse_number(row, "weight"),
    )


def parse_label(row: Mapping[str, Any]) -> LabelledReply:
    """A reply with a label that is true or false; an undesirable one may be silence."""
    completion, label = row["completion"], row["label"]
    if not isinstance(label, bool):
        raise DataError(f"label must be true (desirable) or false, got {label!r}.")
    if label or not isinstance(completion, str):
        completion = parse_text(row, "completion")
    return LabelledReply(
        prompt=parse_prompt(row["prompt"]),
        completion=completion,
        is_desirable=label,
        weight=parse_number(row, "weight"),
    )


def parse_number(row: Mapping[str, Any], column: str) -> float:
    """A finite number that is not negative."""
    value = row[column]
    if not isinstance(value, float | int) or isinstance(value, bool) or not math.isfinite(value) or value < 0:
        raise DataError(f"{column} must be a number that is not negative, got {value!r}.")
    return float(value)


def parse_probability(row: Mapping[str, Any], column: str, default: float) -> float:
    """A number between 0 and 1; `default` where the row has none."""
    value = default if row.get(column) is None else parse_number(row, column)
    if value > 1:
        raise DataError(f"{column} must lie between 0 and 1, got {value!r}.")
    return float(value)


def parse_text(row: Mapping[str, Any], column: str) -> str:
    """A text that is not blank."""
    text = row[column]
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{column} must be a text that is not blank, got {text!r}.")
    return text


def parse_prompt(text: Any) -> Conversation:
    """A JSON list of {role, content} messages whose last turn is the user's."""
    try:
        messages = json.loads(text)
    except (TypeError, ValueError) as error:
        raise DataError(f"prompt is not JSON: {error}") from error
    if not isinstance(messages, list) or not all(is_message(message) for message in messages):
        raise DataError("prompt must be a list of messages with the texts role and content.")
    if not messages or messages[-1]["role"] != "user":
        raise DataError("the last turn of prompt must be the user's.")
    return messages


def is_message(message: Any) -> bool:
    """Whether this is {role: text, content: text}."""
    return isinstance(message, dict) and all(isinstance(message.get(key), str) for key in ("role", "content"))
