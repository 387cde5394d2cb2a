"""`manage.py import_prompts`."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from generation.models import PromptSet
from tests.factory import Factory


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("import_prompts", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "goals.csv"
    path.write_text("goal,kind,label\nWin a game,sport,safe\nRob a bank,crime,unsafe\n,,\n")
    return str(path)


def test_a_table_is_imported_by_its_columns(factory: Factory, table: str) -> None:
    factory.workspace("Demo")
    mapped = ["--prompt", "goal", "--tags", "kind", "--sensitive", "label"]
    words = run(table, *mapped, "--skip-malformed")
    assert "2 prompts added" in words
    assert "goals.csv row 3: turn 1 is empty" in words
    prompt_set = PromptSet.objects.get(name="goals")
    assert list(prompt_set.prompts.values_list("tags", "is_sensitive")) == [(["sport"], False), (["crime"], True)]


def test_a_preview_stores_nothing(factory: Factory, table: str) -> None:
    words = run(table, "--preview", "--sensitive", "label")
    assert "prompt is 'goal', is_sensitive is 'label'; of goal, kind, label" in words
    assert "row 2: 1 turn(s), 'Rob a bank', sensitive" in words
    assert "row 3: malformed" in words
    assert not PromptSet.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--workspace", "Nowhere"], "no workspace called 'Nowhere'"),
        (["--prompt", "x"], "no column 'x'"),
        (["--layout", "table"], "Nothing was imported"),
    ],
)
def test_what_cannot_be_imported_is_told(factory: Factory, table: str, arguments: list[str], reason: str) -> None:
    factory.workspace("Demo")
    with pytest.raises(CommandError, match=reason):
        run(table, *arguments)
