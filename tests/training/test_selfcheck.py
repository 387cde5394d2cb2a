from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from training.algorithms.oracles import table
from training.algorithms.oracles.check import Check

ROOT = Path(__file__).parents[2]


def test_the_quick_check_starts_no_database_and_says_that_all_passed(tmp_path: Path) -> None:
    environment = {**os.environ, "CONCORD_VAR_DIR": str(tmp_path / "var")}
    for name in ("DATABASE_URL", "SECRET_KEY"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "manage.py", "selfcheck", "--quick"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "var").exists()
    introduction, _, shown = done.stdout.partition("\n\n")
    assert "without this program" in introduction
    heading, *lines, conclusion = shown.splitlines()
    assert heading.split() == list(table.HEADINGS)
    rows = [line for line in lines if line and not line.startswith("# ")]
    assert sum(line.startswith("# ") for line in lines) == len(table.CLOSED_FORM)
    assert conclusion == f"All {len(rows)} checks passed."
    assert any(row.startswith("DPO, p = 0.8") and " 13.8629 " in row for row in rows)


def test_a_number_that_is_wrong_is_named_and_the_command_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Check(name="two and two", expected=4.0, seen=5.0, tolerance=0.1)
    monkeypatch.setattr(table, "CLOSED_FORM", (lambda: [wrong],))
    shown = StringIO()
    with pytest.raises(CommandError, match="1 of 1 checks failed: two and two"):
        call_command("selfcheck", "--quick", stdout=shown)
    assert "NO" in shown.getvalue()
