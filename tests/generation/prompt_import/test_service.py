"""What an import does to a prompt set."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from core.row_problems import RowsRefused
from core.source_files import FileUnreadable
from generation.models import PromptSet
from generation.prompt_import import service
from generation.prompt_import.layouts import ImportOptions
from generation.prompt_import.service import PromptImport, import_prompt_set, import_prompts, preview_prompts
from generation.services import PromptSetRefused
from tests.annotation.judgment_import.sources import as_files, lines, zipped
from tests.factory import Factory

LONG = "Please write a short and friendly letter to our neighbours about the party on the lawn, and ask who comes"


def imported(prompt_set: PromptSet, *texts: str, **options: Any) -> PromptImport:
    files = as_files({"a.jsonl": lines([{"prompt": text} for text in texts])})
    return import_prompts(prompt_set=prompt_set, files=files, options=ImportOptions(), **options)


def test_what_is_known_and_what_is_repeated_are_counted_apart(factory: Factory) -> None:
    prompt_set = factory.prompt_set()
    first, second = imported(prompt_set, "a", "b", "a"), imported(prompt_set, "b", "c")
    assert (first.num_added, first.num_known, first.num_repeated) == (2, 0, 1)
    assert (second.num_added, second.num_known, second.num_repeated) == (1, 1, 0)
    assert [prompt.last_turn for prompt in prompt_set.prompts.all()] == ["a", "b", "c"]


def test_importing_again_adds_nothing(factory: Factory) -> None:
    prompt_set = factory.prompt_set()
    imported(prompt_set, LONG, "b")
    again = imported(prompt_set, LONG, "b")
    assert (again.num_added, again.num_known, again.num_near_duplicates) == (0, 2, 0)


@pytest.mark.parametrize(("skips", "num_added"), [(False, 2), (True, 1)])
def test_near_duplicates_are_counted_and_passed_over_on_request(factory: Factory, skips: bool, num_added: int) -> None:
    prompt_set = factory.prompt_set()
    report = imported(prompt_set, LONG, LONG + "!", skip_near_duplicates=skips)
    assert (report.num_added, report.num_near_duplicates) == (num_added, 1)
    later = imported(prompt_set, LONG.upper(), skip_near_duplicates=True)
    assert (later.num_added, later.num_near_duplicates) == (0, 1)


def test_chunks_know_of_each_other(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CHUNK", 2)
    report = imported(factory.prompt_set(), "a", "b", "c", "a", "d", LONG, LONG.upper())
    assert (report.num_added, report.num_repeated, report.num_near_duplicates) == (6, 1, 1)


def test_malformed_rows_are_all_named_and_nothing_is_imported(factory: Factory) -> None:
    prompt_set = factory.prompt_set()
    with pytest.raises(
        RowsRefused, match=r"2 of 4 rows are malformed: a\.jsonl row 2: turn 1 is empty; a\.jsonl row 4"
    ):
        imported(prompt_set, "a", "", "b", " ")
    assert not prompt_set.prompts.exists()


def test_malformed_rows_are_passed_over_on_request(factory: Factory) -> None:
    report = imported(factory.prompt_set(), "a", "", skip_malformed=True)
    assert (report.num_added, report.num_malformed, report.problems[0].row) == (1, 1, 2)
    with pytest.raises(RowsRefused):
        imported(factory.prompt_set(), "", skip_malformed=True)


def test_files_without_prompts_are_refused(factory: Factory) -> None:
    files = as_files({"a.json": "[]"})
    with pytest.raises(RowsRefused, match="None of the 0 rows"):
        import_prompts(prompt_set=factory.prompt_set(), files=files, options=ImportOptions(layout="prompts"))


def test_files_may_be_compressed_and_several(factory: Factory) -> None:
    content: dict[str, bytes | str] = {
        "a.jsonl.gz": gzip.compress(lines([{"prompt": "a"}]).encode()),
        "b.jsonl": lines([{"prompt": "b"}]),
    }
    prompt_set = factory.prompt_set()
    report = import_prompts(prompt_set=prompt_set, files=as_files({"x.zip": zipped(content)}), options=ImportOptions())
    assert (report.num_added, report.num_rows) == (2, 2)


def test_a_damaged_parquet_file_is_told(factory: Factory) -> None:
    with pytest.raises(FileUnreadable, match="damaged"):
        import_prompts(
            prompt_set=factory.prompt_set(), files=as_files({"a.parquet": b"PAR1xxPAR1"}), options=ImportOptions()
        )


def test_a_new_set_is_made_only_if_the_import_succeeds(factory: Factory) -> None:
    def named(content: str, **more: Any) -> PromptImport:
        files = as_files({"a.jsonl": content})
        return import_prompt_set(
            workspace=factory.workspace(), name="New", files=files, options=ImportOptions(), **more
        )

    with pytest.raises(RowsRefused):
        named(lines([{"prompt": ""}]))
    with pytest.raises(PromptSetRefused):
        named(lines([{"prompt": "a"}]), held_out_fraction=2)
    assert not PromptSet.objects.exists()
    first, second = named(lines([{"prompt": "a"}])), named(lines([{"prompt": "b"}]))
    assert first.prompt_set == second.prompt_set
    assert (first.prompt_set.source, first.title) == ("a.jsonl", "Prompts (Concord’s own)")


def test_a_preview_shows_the_first_rows_and_what_is_wrong(factory: Factory) -> None:
    files = as_files({"a.csv": "question,answer\nWhy?,So.\n,No.\nHow?,Thus.\n"})
    preview = preview_prompts(files=files, options=ImportOptions(), num_rows=2)
    assert (preview.layout, preview.columns.prompt, preview.columns_found) == (
        "table",
        "question",
        ["question", "answer"],
    )
    assert [(row.number, len(row.prompts), row.problem) for row in preview.rows] == [
        (1, 1, ""),
        (2, 0, "turn 1 is empty"),
    ]
