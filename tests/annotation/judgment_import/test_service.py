"""Imports as a whole: what they store, what they refuse, and that nothing is stored twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Workspace
from annotation.judgment_export.service import export_judgments
from annotation.judgment_import import service
from annotation.judgment_import.annotators import AnnotatorTaken
from annotation.judgment_import.service import JudgmentImport, import_judgments, preview_judgments
from annotation.judgment_import.targets import ImportConflict
from annotation.models import Annotator, Campaign, Comparison, Enrolment, Judgment, Slot
from annotation.reports import annotator_rows
from core import row_problems
from core.row_problems import RowsRefused
from generation.models import Completion, LanguageModel, Prompt, PromptSet
from generation.services import ArmSpec, SamplingRefused, start_sampling_run
from tests.annotation.judgment_import.sources import annotation, as_files, lines, llmfao, pair, table, task
from tests.factory import Factory

VOTES = [("0", 5, "right"), ("0", 6, "left"), ("0", 7, "tie"), ("1", 5, "left")]
JUDGED = [("0", "left"), ("1", "tie")]
PAIRWISE = {"prompt": "Which?", "answer1": "one", "answer2": "two"}


def imported(
    factory: Factory,
    contents: Mapping[str, bytes | str],
    *,
    name: str = "Votes",
    workspace: Workspace | None = None,
    **more: Any,
) -> JudgmentImport:
    return import_judgments(workspace=workspace or factory.workspace(), name=name, files=as_files(contents), **more)


def counts(report: JudgmentImport) -> tuple[int, int, int, int]:
    return report.num_added, report.num_revised, report.num_known, report.num_malformed


def said() -> set[tuple[str, str, str]]:
    """(annotator's source, left | right shown, what was better) of every current judgment, read back through rows."""
    found = set()
    for judgment in Judgment.objects.current().select_related("annotator"):
        texts = judgment.comparison.candidates.order_by("position").values_list("completion__model__name", flat=True)
        shown = " | ".join(str(texts[place]) for place in judgment.display_order)
        tiers = judgment.answer["tiers"]
        better = str(texts[tiers[0][0]]) if len(tiers) == 2 else "tie"
        found.add((judgment.annotator.parameters["source"], shown, better))
    return found


def test_votes_become_judgments_with_their_annotators_sides_and_ties(factory: Factory) -> None:
    report = imported(factory, llmfao(VOTES, JUDGED))

    assert counts(report) == (6, 0, 0, 0)
    assert (report.layout, report.num_annotators, report.num_comparisons, report.num_prompts) == ("llmfao", 4, 2, 1)
    assert said() == {
        ("person", "Ant | Bee", "Bee"),
        ("person", "Ant | Bee", "Ant"),
        ("person", "Ant | Bee", "tie"),
        ("person", "Cat | Ant", "Cat"),
        ("judge", "Ant | Bee", "Ant"),
        ("judge", "Cat | Ant", "tie"),
    }
    assert report.campaign.status == "closed"
    assert report.campaign.overlap == 4
    assert Prompt.objects.get().tags == ["writing"]
    assert set(Comparison.objects.values_list("categories", flat=True)[0]) == {"writing"}


def test_slots_are_as_many_as_the_votes_and_all_are_judged(factory: Factory) -> None:
    report = imported(factory, llmfao(VOTES, JUDGED))
    numbers = [
        list(comparison.slots.order_by("number").values_list("number", flat=True))
        for comparison in report.campaign.comparisons.order_by("pk")
    ]
    assert sorted(numbers) == [[0, 1], [0, 1, 2, 3]]
    assert not Slot.objects.filter(judged_at=None).exists()
    assert all(judgment.slot.annotator_id == judgment.annotator_id for judgment in Judgment.objects.all())
    assert not Enrolment.objects.filter(is_active=True).exists()


def test_models_are_known_by_name_and_cannot_be_run(factory: Factory) -> None:
    imported(factory, llmfao(VOTES))
    assert set(LanguageModel.objects.values_list("name", "source")) == {
        ("Ant", "named"), ("Bee", "named"), ("Cat", "named"),
    }  # fmt: skip
    assert set(Completion.objects.values_list("origin", flat=True)) == {"imported"}
    with pytest.raises(SamplingRefused, match="only the name is known"):
        start_sampling_run(
            workspace=factory.workspace(),
            name="run",
            prompt_set=PromptSet.objects.get(),
            arms=[ArmSpec(model=LanguageModel.objects.get(name="Ant"))],
        )


def test_two_models_that_said_the_same_are_two_completions(factory: Factory) -> None:
    rows = [{"id": 0, "prompt": 1, "text": "p", "model_x": 1, "result_x": "same", "model_y": 2, "result_y": "same"}]
    contents = {
        **llmfao([]),
        "pairs.jsonl": lines(rows),
        "crowd-comparisons.csv": table(["id", "worker", "winner", "left", "right"], [[0, 1, "tie", "Ant", "Bee"]]),
    }
    contents.pop("pairs-crowd.jsonl.gz")
    assert imported(factory, contents).num_completions == 2


def test_importing_again_adds_nothing_and_a_longer_file_adds_the_rest(factory: Factory) -> None:
    imported(factory, llmfao(VOTES[:2]))
    rows = [model.objects.count() for model in (Judgment, Slot, Comparison, Completion, Prompt, Annotator, Enrolment)]
    assert counts(imported(factory, llmfao(VOTES[:2]))) == (0, 0, 2, 0)
    again = [model.objects.count() for model in (Judgment, Slot, Comparison, Completion, Prompt, Annotator, Enrolment)]
    assert again == rows
    assert counts(imported(factory, llmfao(VOTES, JUDGED))) == (4, 0, 2, 0)
    assert Campaign.objects.count() == PromptSet.objects.count() == 1
    of_bee = Slot.objects.filter(comparison__candidates__completion__model__name="Bee")
    assert sorted(of_bee.values_list("number", flat=True)) == [0, 1, 2, 3]


def test_the_size_of_chunks_changes_nothing(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    imported(factory, llmfao(VOTES, JUDGED))
    whole = said()
    Judgment.objects.update(revises=None)
    for model in (Judgment, Slot, Comparison, Campaign, Completion):
        model.objects.all().delete()
    monkeypatch.setattr(service, "CHUNK", 1)
    report = imported(factory, llmfao(VOTES, JUDGED))
    assert (said(), counts(report)) == (whole, (6, 0, 0, 0))


@pytest.mark.parametrize("chunk", [1, 2000])
def test_the_later_vote_of_one_annotator_revises_the_earlier_one(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(service, "CHUNK", chunk)
    contents = llmfao([("0", 5, "right"), ("0", 5, "right"), ("0", 5, "left"), ("0", 5, "tie")])

    report = imported(factory, contents)

    assert counts(report) == (3, 2, 1, 0)  # the second row is the first one again
    first, second, third = Judgment.objects.order_by("pk")
    assert [one.is_current for one in (first, second, third)] == [False, False, True]
    assert (second.revises_id, third.revises_id) == (first.pk, second.pk)
    assert {one.slot_id for one in (first, second, third)} == {Slot.objects.get().pk}
    assert third.answer == {"tiers": [[0, 1]]}
    assert counts(imported(factory, contents)) == (0, 0, 4, 0)


def test_an_annotation_that_changed_at_its_source_revises_what_was_imported(factory: Factory) -> None:
    before = task(PAIRWISE, annotation(("pairwise", {"selected": "left"})))
    after = task(PAIRWISE, annotation(("pairwise", {"selected": "right"}), updated_at="2026-03-02T10:00:00Z"))
    imported(factory, {"a.jsonl": lines([before])})
    assert counts(imported(factory, {"a.jsonl": lines([after])})) == (1, 1, 0, 0)


def test_times_and_durations_are_those_of_the_source(factory: Factory) -> None:
    imported(factory, {"a.json": json.dumps([task(PAIRWISE, annotation(("pairwise", {"selected": "left"})))])})
    judgment = Judgment.objects.get()
    assert judgment.created_at == judgment.slot.judged_at == datetime(2026, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC)
    assert judgment.total_ms == 4250


def test_annotators_are_pseudonymous_and_the_same_again(factory: Factory) -> None:
    row = task(PAIRWISE, annotation(("pairwise", {"selected": "left"}), by="eve@example.org"))
    imported(factory, {"a.jsonl": lines([row])})
    annotator = Annotator.objects.get()
    stored = json.dumps([annotator.name, annotator.parameters, str(annotator.pseudonym)])
    assert "eve" not in stored
    assert "example" not in stored
    assert (annotator.kind, annotator.user) == ("imported", None)
    other = task(
        {**PAIRWISE, "prompt": "Another?"}, annotation(("pairwise", {"selected": "left"}), by="eve@example.org")
    )
    imported(factory, {"a.jsonl": lines([other])})
    assert Annotator.objects.count() == 1


def test_a_malformed_row_imports_nothing_and_all_of_them_are_named(factory: Factory) -> None:
    content = lines([pair(), pair(chosen="x", rejected="x"), pair("2 + 2?")]) + "{\n"
    with pytest.raises(
        RowsRefused, match=r"2 of 4 rows are malformed: a\.jsonl row 2: .* equal; a\.jsonl row 4: "
    ) as refused:
        imported(factory, {"a.jsonl": content})
    assert [one["row"] for one in refused.value.fields["problems"]] == [2, 4]  # type: ignore[attr-defined] # a list
    assert not Campaign.objects.exists()
    assert not Prompt.objects.exists()
    assert not Annotator.objects.exists()


def test_malformed_rows_are_passed_over_where_that_is_asked_for(factory: Factory) -> None:
    content = lines([pair(), pair(chosen="x", rejected="x"), pair("2 + 2?")])
    report = imported(factory, {"a.jsonl": content}, skip_malformed=True)
    assert counts(report) == (2, 0, 0, 1)
    assert [(one.file, one.row) for one in report.problems] == [("a.jsonl", 2)]


def test_the_list_of_problems_ends_but_their_number_does_not(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_problems, "MAX_PROBLEMS_KEPT", 3)
    report = imported(factory, {"a.jsonl": lines([pair()] + [pair(chosen="")] * 9)}, skip_malformed=True)
    assert (report.num_malformed, len(report.problems)) == (9, 3)


@pytest.mark.parametrize("rows", [[pair(chosen="")], [task(PAIRWISE)]])
def test_files_without_any_vote_are_refused(factory: Factory, rows: list[dict[str, Any]]) -> None:
    with pytest.raises(RowsRefused):
        imported(factory, {"a.jsonl": lines(rows)}, skip_malformed=True)
    assert not Campaign.objects.exists()


def test_a_campaign_of_our_own_takes_no_imported_judgments(factory: Factory) -> None:
    factory.campaign("Votes", num_comparisons=1)
    with pytest.raises(ImportConflict, match="another name"):
        imported(factory, llmfao(VOTES))
    with pytest.raises(ImportConflict, match="1 to 120 characters"):
        imported(factory, llmfao(VOTES), name=" ")


def test_nobody_who_answers_here_gets_imported_votes(factory: Factory) -> None:
    factory.judge("Labels of Votes")
    with pytest.raises(AnnotatorTaken, match="answers here"):
        imported(factory, {"a.jsonl": lines([pair()])})
    assert not Judgment.objects.exists()


def test_workspaces_share_nothing(factory: Factory) -> None:
    imported(factory, llmfao(VOTES))
    report = imported(factory, llmfao(VOTES), workspace=factory.workspace("Elsewhere"))
    assert counts(report) == (4, 0, 0, 0)
    assert LanguageModel.objects.filter(workspace__name="Elsewhere").count() == 3
    assert Annotator.objects.filter(workspace__name="Elsewhere").count() == 3


def test_long_names_are_cut_and_stay_apart(factory: Factory) -> None:
    names = ["x" * 119 + mark for mark in "ab"]
    for name in names:
        imported(factory, {**llmfao(VOTES, JUDGED)}, name=name)
    assert Annotator.objects.count() == 8
    assert all(len(name) <= 120 for name in Annotator.objects.values_list("name", flat=True))


def test_the_question_grows_with_what_later_files_say(factory: Factory) -> None:
    plain = task(PAIRWISE, annotation(("pairwise", {"selected": "left"})))
    remarked = task(
        {**PAIRWISE, "prompt": "Another?"},
        annotation(("choices", {"choices": ["both bad"]}), ("textarea", {"text": ["Both are wrong."]})),
    )
    report = imported(factory, {"a.jsonl": lines([plain])})
    assert (report.campaign.question["allows_both_bad"], report.campaign.question["rationale"]) == (False, "none")
    for rows in ([remarked], [plain]):
        report = imported(factory, {"a.jsonl": lines(rows)})
        assert (report.campaign.question["allows_both_bad"], report.campaign.question["rationale"]) == (
            True,
            "optional",
        )
    version = report.campaign.question_versions.get()
    assert (version.number, version.question) == (1, report.campaign.question)
    assert report.campaign.guideline_versions.get().text == report.campaign.guidelines


def test_a_preview_stores_nothing_and_shows_what_will_be(factory: Factory) -> None:
    contents = llmfao([*VOTES, ("0", 8, "both")])
    preview = preview_judgments(files=as_files(contents))
    assert (preview.layout, preview.question and preview.question.kind) == ("llmfao", "pairwise")
    assert [(row.row, len(row.votes), bool(row.problem)) for row in preview.rows] == [
        (1, 1, False), (2, 1, False), (3, 1, False), (4, 1, False), (5, 0, True),
    ]  # fmt: skip
    assert len(preview_judgments(files=as_files(contents), num_rows=2).rows) == 2
    assert not Campaign.objects.exists()


def test_statements_do_not_grow_with_the_votes_of_a_chunk(factory: Factory) -> None:
    def statements(num_pairs: int, name: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            imported(factory, {"a.jsonl": lines([pair(f"{n}?") for n in range(num_pairs)])}, name=name)
        return len(captured)

    statements(1, "first")
    assert statements(400, "many") == statements(2, "two")


def test_what_was_exported_can_be_imported_elsewhere(factory: Factory) -> None:
    report = imported(factory, llmfao([*VOTES, ("0", 5, "tie")], JUDGED))
    before = said()
    content = b"".join(export_judgments(campaigns=[report.campaign], file_format="jsonl").pieces)
    Campaign.objects.filter(pk=report.campaign.pk).update(name="Old")
    moved = imported(factory, {"a.jsonl": content}, workspace=factory.workspace("Elsewhere"))
    assert (moved.layout, moved.num_added, moved.num_without_votes) == ("concord", 6, 1)
    there = Judgment.objects.filter(comparison__campaign=moved.campaign)
    assert sorted(json.dumps(one.answer) for one in there) == sorted(
        json.dumps(one.answer) for one in Judgment.objects.current().filter(comparison__campaign=report.campaign)
    )
    assert {shown for _, shown, _ in said()} == {shown for _, shown, _ in before}


def test_an_order_that_no_file_tells_is_not_made_up(factory: Factory) -> None:
    pairs = [pair(f"Which is {n}?", f"the better {n}", f"the worse {n}") for n in range(6)]
    report = imported(factory, {"pairs.jsonl": lines(pairs)})

    assert [judgment.display_order for judgment in Judgment.objects.all()] == [[]] * 6
    (row,) = annotator_rows(report.campaign)
    assert row.work.left.value is None
    assert row.work.longer.value is not None
    assert counts(imported(factory, {"pairs.jsonl": lines(pairs)})) == (0, 0, 6, 0)
    content = b"".join(export_judgments(campaigns=[report.campaign], file_format="jsonl").pieces)
    again = [json.loads(line) for line in content.splitlines()]
    assert {tuple(judgment["display_order"]) for judgment in again} == {()}
