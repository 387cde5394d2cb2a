"""`import_judgments` and `export_judgments`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from annotation.models import Campaign, Judgment
from tests.annotation.judgment_import.sources import lines, llmfao, pair
from tests.factory import Factory


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The llmfao layout in a folder called votes."""
    found = tmp_path / "votes"
    found.mkdir()
    for name, content in llmfao([("0", 5, "right"), ("0", 5, "tie")], [("1", "left")]).items():
        (found / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return found


def run(command: str, *words: object) -> str:
    output = io.StringIO()
    call_command(command, *map(str, words), stdout=output)
    return output.getvalue()


def test_a_folder_is_imported_and_the_report_counts(factory: Factory, folder: Path) -> None:
    output = run("import_judgments", folder, "--workspace", factory.workspace().name)
    assert Campaign.objects.get().name == "votes"
    assert "3 judgments added (1 of them revise earlier ones), 0 known" in output
    assert "Layout: llmfao; 3 rows" in output
    again = run("import_judgments", folder, "--workspace", factory.workspace().name)
    assert "0 judgments added, 3 known" in again


def test_a_preview_stores_nothing(factory: Factory, folder: Path) -> None:
    output = run("import_judgments", folder, "--preview")
    assert "crowd-comparisons.csv row 1: 2 replies to 'A haiku?': 2 > 1" in output
    assert not Campaign.objects.exists()


def test_malformed_rows_end_the_command_or_are_listed(factory: Factory, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(lines([pair(), pair(chosen="")] + [pair(rejected="")] * 30))
    words = (path, "--workspace", factory.workspace().name)
    with pytest.raises(CommandError, match=r"Nothing was imported: 31 of 32 rows are malformed"):
        run("import_judgments", *words)
    output = run("import_judgments", *words, "--skip-malformed", "--name", "Sums")
    assert "pairs.jsonl row 2: the chosen reply has no text" in output
    assert "and 11 more" in output


@pytest.mark.parametrize(
    ("words", "reason"), [(["--workspace", "Nowhere"], "no workspace called"), ([], "cannot be opened")]
)
def test_what_is_not_there_is_named(factory: Factory, folder: Path, words: list[str], reason: str) -> None:
    path = folder if words else folder / "missing.jsonl"
    with pytest.raises(CommandError, match=reason):
        run("import_judgments", path, *words)


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_the_ending_is_the_format(factory: Factory, tmp_path: Path, name: str) -> None:
    factory.judged_campaign(num_comparisons=2, judges=1)
    output = run("export_judgments", tmp_path / name)
    content = (tmp_path / name).read_bytes()
    assert f"{len(content):,} bytes" in output
    if name == "out.parquet":
        assert pq.read_table(tmp_path / name).num_rows == 2
    else:
        assert len(content.splitlines()) == (2 if name == "out.jsonl" else 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_options_choose(factory: Factory, tmp_path: Path) -> None:
    mine, other = (factory.judged_campaign(num_comparisons=1, judges=1) for _ in range(2))
    old = Judgment.objects.get(comparison__campaign=other)
    Judgment.objects.filter(pk=old.pk).update(purpose="repeat", is_current=False, created_at="2020-01-01T00:00:00Z")
    path = tmp_path / "out.jsonl"

    def campaigns(*words: object) -> list[int]:
        run("export_judgments", path, "--force", *words)
        return [json.loads(line)["campaign_id"] for line in path.read_text().splitlines()]

    assert campaigns() == [mine.pk, other.pk]
    assert campaigns("--campaign", other.pk) == [other.pk]
    assert campaigns("--current") == campaigns("--purpose", "main") == campaigns("--since", "2021-05-05") == [mine.pk]
    assert campaigns("--workspace", factory.workspace().name) == [mine.pk, other.pk]


def test_a_file_that_exists_is_kept_unless_told_otherwise(factory: Factory, tmp_path: Path) -> None:
    factory.judged_campaign(num_comparisons=1)
    path = tmp_path / "out.csv"
    path.write_text("mine")
    with pytest.raises(CommandError, match="exists"):
        run("export_judgments", path)
    assert path.read_text() == "mine"
    run("export_judgments", path, "--force")
    assert path.read_text() != "mine"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["out.txt"], "Name a format"),
        (["out.csv", "--campaign", "999999"], "no campaign 999999"),
        (["out.csv", "--workspace", "Nowhere"], "nothing to export"),
        (["out.csv", "--since", "yesterday"], "ISO 8601"),
        (["missing/out.csv"], "cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_named(factory: Factory, tmp_path: Path, words: list[str], reason: str) -> None:
    factory.judged_campaign(num_comparisons=1)
    with pytest.raises(CommandError, match=reason):
        run("export_judgments", tmp_path / words[0], *words[1:])


def test_a_dash_is_the_standard_output(factory: Factory, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    factory.judged_campaign(num_comparisons=1, judges=1)
    call_command("export_judgments", "-", "--format", "jsonl")
    assert json.loads(capfdbinary.readouterr().out)["judgment_id"] == Judgment.objects.get().pk
