"""Writes a report on data: reads the rows as the trainer will, and counts with the model's own tokenizer."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from django.db import transaction

from core import jobs
from core.jobs import JobFailed
from training import run_data
from training.algorithms.data_report import CountTokens, TokenCounts, data_report
from training.algorithms.data_rows import DataRow, data_rows
from training.algorithms.failures import TrainingFailure
from training.models import DataReport

if TYPE_CHECKING:
    from training.algorithms.tokenisation import ChatTokeniser

MAX_ROWS = 200_000  # looked at; of more, a sample
MAX_COUNTED = 20_000  # of these, rows whose tokens are counted
BEAT_ROWS = 500  # rows between two signs of life


def write_report(report: DataReport) -> None:
    """Fill in the report. Raises `JobFailed` if the data cannot be read."""
    found = written_report(report, show_life=lambda num_done: jobs.beat(report, num_done=num_done))
    with transaction.atomic():
        jobs.renew(report, num_done=found["num_rows"], num_total=found["num_rows"])
        report.report = found
        report.save(update_fields=["report"])


def written_report(report: DataReport, *, show_life: Callable[[int], None] = lambda num_done: None) -> dict[str, Any]:
    """What the report says; `show_life` hears of rows whose tokens have been counted. Raises `JobFailed`."""
    rows, num_rows = _rows(report)
    tokeniser, problem = _tokeniser(report)
    found = data_report(
        rows,
        max_prompt_tokens=report.max_prompt_tokens,
        max_completion_tokens=report.max_completion_tokens,
        count_tokens=_counter(tokeniser, show_life) if tokeniser else None,
        max_counted=MAX_COUNTED,
    )
    found |= {"num_rows": num_rows, "num_looked_at": len(rows), "tokenizer_problem": problem, "checks": []}
    if tokeniser:
        from training.algorithms import tokenisation_lint

        found["checks"] = tokenisation_lint.lint(tokeniser, rows)
    return found


def _rows(report: DataReport) -> tuple[list[DataRow], int]:
    """The rows, or an evenly drawn sample of very many; and how many there are."""
    table = _table(report)
    numbers = range(len(table))
    chosen = sorted(random.Random(0).sample(numbers, MAX_ROWS)) if len(table) > MAX_ROWS else None  # noqa: S311 -- a sample
    shown = table if chosen is None else table.take(chosen)
    return list(data_rows(shown.to_pylist())), len(table)


def _table(report: DataReport) -> pa.Table:
    if report.prompt_set is not None:
        return run_data.prompts_of(report.prompt_set)
    dataset = report.dataset
    assert dataset is not None  # noqa: S101 -- a check constraint: a report is on a dataset or on a prompt set
    try:
        return run_data.table_for(report.algorithm, dataset.kind, dataset.parquet_path)
    except (OSError, pa.ArrowException) as error:
        raise JobFailed(f"The file of {dataset} cannot be read: {error}.", failure_kind="data_error") from error


def _tokeniser(report: DataReport) -> tuple[ChatTokeniser | None, str]:
    """The model's own tokeniser, or why there is none."""
    if report.model is None:
        return None, ""
    from training.algorithms import tokenisation_lint  # transformers: in workers only

    try:
        return tokenisation_lint.uncut_tokeniser(report.model.location), ""
    except TrainingFailure as error:
        return None, str(error)


def _counter(tokeniser: ChatTokeniser, show_life: Callable[[int], None]) -> CountTokens:
    """Counts a row's tokens and shows life every so often."""
    from training.algorithms import tokenisation_lint

    num_done = 0

    def count(row: DataRow) -> TokenCounts | None:
        nonlocal num_done
        num_done += 1
        if num_done % BEAT_ROWS == 0:
            show_life(num_done)
        return tokenisation_lint.token_counts(tokeniser, row)

    return count
