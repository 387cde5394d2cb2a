"""Writes a report on data: reads the rows as the trainer will, and counts with the model's own tokenizer.

The tokenizer is used in a process of its own (`training/algorithms/report_process.py`); without a model there is none.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings
from django.db import transaction

from core import jobs
from core.jobs import JobFailed
from generation.models import LanguageModel
from training import run_data
from training.algorithms.data_report import data_report
from training.algorithms.data_rows import data_rows
from training.models import DataReport
from training.runner import PASSED_ON, PASSED_PREFIXES

MODULE = "training.algorithms.report_process"
MAX_ROWS = 200_000  # looked at; of more, a sample
MAX_COUNTED = 20_000  # of these, rows whose tokens are counted
MAX_SECONDS = 1800.0  # of the process
LOG_CHARACTERS = 4_000


def write_report(report: DataReport) -> None:
    """Fill in the report. Raises `JobFailed` if the data cannot be read."""
    found = written_report(report)
    with transaction.atomic():
        jobs.renew(report, num_done=found["num_rows"], num_total=found["num_rows"])
        report.report = found
        report.save(update_fields=["report"])


def written_report(report: DataReport) -> dict[str, Any]:
    """What the report says. Raises `JobFailed`."""
    table = _table(report)
    rows = _sampled(table)
    limits = {
        "max_prompt_tokens": report.max_prompt_tokens,
        "max_completion_tokens": report.max_completion_tokens,
        "max_counted": MAX_COUNTED,
    }
    problem = _absence(report.model)
    if report.model is None or problem:
        counted = data_report(
            list(data_rows(rows.to_pylist())),
            max_prompt_tokens=report.max_prompt_tokens,
            max_completion_tokens=report.max_completion_tokens,
        )
        found = counted | {"tokenizer_problem": problem, "checks": []}
    else:
        found = _by_process(rows, report.model.location, limits)
    return found | {"num_rows": len(table), "num_looked_at": len(rows)}


def _table(report: DataReport) -> pa.Table:
    if report.prompt_set is not None:
        return run_data.prompts_of(report.prompt_set)
    dataset = report.dataset
    assert dataset is not None  # noqa: S101 -- a check constraint: a report is on a dataset or on a prompt set
    try:
        return run_data.table_for(report.algorithm, dataset.kind, dataset.parquet_path)
    except (OSError, pa.ArrowException) as error:
        raise JobFailed(f"The file of {dataset} cannot be read: {error}.", failure_kind="data_error") from error


def _sampled(table: pa.Table) -> pa.Table:
    """The rows, or an evenly drawn sample of very many."""
    if len(table) <= MAX_ROWS:
        return table
    return table.take(sorted(random.Random(0).sample(range(len(table)), MAX_ROWS)))  # noqa: S311 -- no secret


def _absence(model: LanguageModel | None) -> str:
    """Why the model's tokenizer cannot be asked, as far as that is seen from here; empty if it may be."""
    if model is None or not os.path.isabs(model.location) or Path(model.location).is_dir():
        return ""
    return f"The folder of {model}, {model.location}, is not on this machine: characters are counted."


def _by_process(rows: pa.Table, model: str, limits: dict[str, int]) -> dict[str, Any]:
    """The report of a process that has the tokenizer. Raises `JobFailed` with what it printed."""
    with TemporaryDirectory(prefix="concord-report-") as name:
        folder = Path(name)
        pq.write_table(rows, folder / "rows.parquet")
        order = {
            "rows": str(folder / "rows.parquet"),
            "model": model,
            "settings": limits,
            "report": str(folder / "report.json"),
        }
        (folder / "order.json").write_text(json.dumps(order), encoding="utf-8")
        try:
            subprocess.run(
                [sys.executable, "-m", MODULE, str(folder / "order.json")],
                cwd=settings.BASE_DIR,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=MAX_SECONDS,
                check=True,
            )
        except subprocess.SubprocessError as error:
            printed = str(getattr(error, "stderr", "") or "")[-LOG_CHARACTERS:]
            reason = f"The tokenizer of {model} could not be asked: {error}"
            raise JobFailed(reason, failure_kind="model_error", log_tail=printed) from error
        found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return found


def _environment() -> dict[str, str]:
    """What the process may know: no secret, no address of the database or the broker."""
    return {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith(PASSED_PREFIXES)}
