"""Real research data, where it is on this machine; nothing of it is part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core import source_files
from generation.prompt_import.columns import ColumnMapping
from generation.prompt_import.layouts import ImportOptions
from generation.prompt_import.service import PromptImport, import_prompts
from tests.factory import Factory

DATA = Path(os.environ.get("CONCORD_TEST_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
XSTEST = ColumnMapping(prompt="prompt", tags=("type", "focus"), is_sensitive="label")


def imported(factory: Factory, name: str, options: ImportOptions) -> PromptImport:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here; set CONCORD_TEST_DATA to a folder that has {name}")
    return import_prompts(prompt_set=factory.prompt_set(), files=source_files.from_path(path), options=options)


@pytest.mark.parametrize(
    ("name", "options", "layout", "num_rows"),
    [
        ("oasst_en_100/en_100_tree.jsonl", ImportOptions(), "oasst", 100),
        ("hh_rlhf/test.jsonl.gz", ImportOptions(), "pairs", 2312),
        ("seed_instructions/seed_tasks.jsonl", ImportOptions(), "alpaca", 175),
        ("gsm8k/test.jsonl", ImportOptions(), "table", 1319),
        ("xstest/xstest_prompts.csv", ImportOptions(columns=XSTEST), "table", 450),
        ("safety_prompts/harmbench_behaviors_text_all.csv", ImportOptions(), "table", 400),
        ("truthfulqa/mc_task.json", ImportOptions(), "table", 817),
    ],
)
def test_real_files_come_in_whole(
    factory: Factory, name: str, options: ImportOptions, layout: str, num_rows: int
) -> None:
    report = imported(factory, name, options)
    assert (report.layout, report.num_rows, report.num_malformed) == (layout, num_rows, 0)
    assert report.num_added == report.prompt_set.prompts.count()
    assert report.num_added + report.num_repeated >= num_rows
