"""`python -m training.algorithms.report_process ORDER.json`: a report on data by a model's own tokenizer.

A process of its own, because transformers bring torch with them, which the worker that asks for it does not want. The
order names the rows (Parquet), the model, the limits and the file that the report is written to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from training.algorithms.data_report import data_report
from training.algorithms.data_rows import DataRow, data_rows
from training.algorithms.failures import TrainingFailure
from training.algorithms.run import die_with_parent


def main(order_path: Path) -> int:
    """Write the report; 0 also where the tokenizer cannot be used, which the report then says."""
    die_with_parent()
    order = json.loads(order_path.read_text(encoding="utf-8"))
    rows = list(data_rows(pq.read_table(order["rows"]).to_pylist()))
    Path(order["report"]).write_text(json.dumps(report_by(order["model"], rows, **order["settings"])), encoding="utf-8")
    return 0


def report_by(model: str, rows: list[DataRow], **settings: Any) -> dict[str, Any]:
    """The report with tokens and checks, or without them and with `tokenizer_problem`."""
    from training.algorithms import tokenisation_lint

    try:
        tokeniser = tokenisation_lint.uncut_tokeniser(model)
    except TrainingFailure as error:
        return data_report(rows, **settings) | {"tokenizer_problem": str(error), "checks": []}
    found = data_report(rows, count_tokens=lambda row: tokenisation_lint.token_counts(tokeniser, row), **settings)
    return found | {"tokenizer_problem": "", "checks": tokenisation_lint.lint(tokeniser, rows)}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
