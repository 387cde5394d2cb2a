from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from annotation.models import Annotator, Campaign, Comparison, Judgment, Slot
from annotation.pair_import import ImportConflict, ImportRefused, PairImport, import_preference_pairs
from generation.models import Completion, Prompt, PromptSet
from tests.factory import Factory

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
HH_RLHF = Path(os.environ.get("CONCORD_TEST_DATA", SHARED)) / "hh_rlhf" / "test.jsonl.gz"


def line(prompt: str, chosen: str, rejected: str) -> str:
    return json.dumps({"prompt": prompt, "chosen": chosen, "rejected": rejected})


LINES = [line("1 + 1?", "2", "3"), line("1 + 1?", "2", "4"), line("2 + 2?", "4", "5")]


def imported(factory: Factory, lines: list[str], *, is_skipping: bool = False) -> PairImport:
    return import_preference_pairs(
        workspace=factory.workspace(), name="Sums", lines=lines, is_skipping_malformed=is_skipping
    )


def preferences() -> set[tuple[str, str, str]]:
    """(prompt, winner, loser) of every judgment, read through candidates and tiers."""
    said = set()
    for judgment in Judgment.objects.all():
        texts = judgment.comparison.candidates.order_by("position").values_list("completion__text", flat=True)
        [winner], [loser] = judgment.answer["tiers"]
        said.add((judgment.comparison.prompt.last_turn, texts[winner], texts[loser]))
    return said


def test_a_file_becomes_a_closed_and_judged_campaign(factory: Factory) -> None:
    result = imported(factory, LINES)
    assert (result.num_pairs, result.num_known, result.skipped) == (3, 0, [])
    assert result.campaign.status == "closed"
    assert result.prompt_set.prompts.count() == 2
    assert preferences() == {("1 + 1?", "2", "3"), ("1 + 1?", "2", "4"), ("2 + 2?", "4", "5")}
    assert Completion.objects.filter(origin="imported").count() == 5
    assert not Slot.objects.filter(judged_at=None).exists()


def test_the_labels_belong_to_nobody_who_could_answer_here(factory: Factory) -> None:
    result = imported(factory, LINES)
    annotator = Annotator.objects.get(kind="imported")
    assert (annotator.user, annotator.name) == (None, "Labels of Sums")
    assert not result.campaign.enrolments.get(annotator=annotator).is_active


def test_importing_twice_adds_nothing_and_a_longer_file_adds_the_rest(factory: Factory) -> None:
    imported(factory, LINES[:2])
    again = imported(factory, LINES[:2])
    assert (again.num_pairs, again.num_known) == (0, 2)
    longer = imported(factory, LINES)
    assert (longer.num_pairs, longer.num_known) == (1, 2)
    assert Judgment.objects.count() == Comparison.objects.count() == 3
    assert Campaign.objects.count() == PromptSet.objects.count() == 1


def test_a_malformed_line_imports_nothing(factory: Factory) -> None:
    with pytest.raises(ImportRefused, match=r"line 2: the chosen reply has no text; line 4: .* are equal"):
        imported(factory, [LINES[0], line("x", "", "y"), LINES[1], line("x", "y", "y")])
    assert not Prompt.objects.exists()
    assert not Campaign.objects.exists()


def test_malformed_lines_are_skipped_and_reported_where_that_is_asked_for(factory: Factory) -> None:
    result = imported(factory, [LINES[0], line("x", "y", "y"), LINES[1]], is_skipping=True)
    assert (result.num_pairs, [number for number, _ in result.skipped]) == (2, [2])


@pytest.mark.parametrize("lines", [[], ["", " "], ["{"]])
def test_a_file_without_any_pair_is_refused(factory: Factory, lines: list[str]) -> None:
    with pytest.raises(ImportRefused):
        imported(factory, lines, is_skipping=True)
    assert not PromptSet.objects.exists()


def test_a_campaign_of_our_own_takes_no_imported_pairs(factory: Factory) -> None:
    factory.campaign("Sums", num_comparisons=1)
    with pytest.raises(ImportConflict, match="another name"):
        imported(factory, LINES)
    assert not Completion.objects.filter(origin="imported").exists()


def test_the_position_of_a_candidate_does_not_tell_who_won(factory: Factory) -> None:
    texts = [(f"reply {n}", f"answer {n}") for n in range(40)]
    imported(factory, [line(f"prompt {n}", *pair) for n, pair in enumerate(texts)])
    winners = [answer["tiers"][0][0] for answer in Judgment.objects.values_list("answer", flat=True)]
    assert set(winners) == {0, 1}
    Judgment.objects.all().delete()
    Campaign.objects.all().delete()
    imported(factory, [line(f"prompt {n}", *pair[::-1]) for n, pair in enumerate(texts)])
    swapped = [answer["tiers"][0][0] for answer in Judgment.objects.values_list("answer", flat=True)]
    assert swapped == [1 - winner for winner in winners]


def test_two_workspaces_import_the_same_file_apart(factory: Factory) -> None:
    imported(factory, LINES)
    elsewhere = factory.workspace("Elsewhere")
    result = import_preference_pairs(workspace=elsewhere, name="Sums", lines=LINES)
    assert (result.num_pairs, result.num_known) == (3, 0)
    assert result.campaign.workspace == elsewhere


def test_the_real_dialogues_of_hh_rlhf_come_in_whole(factory: Factory) -> None:
    if not HH_RLHF.exists():
        pytest.skip(f"{HH_RLHF} is not here; set CONCORD_TEST_DATA to a folder with hh_rlhf/test.jsonl.gz")
    with gzip.open(HH_RLHF, "rt", encoding="utf-8") as file:
        lines = list(file)
    result = imported(factory, lines, is_skipping=True)
    assert result.num_pairs + result.num_known + len(result.skipped) == len(lines) == 2312
    assert len(result.skipped) < 0.01 * len(lines)
    assert result.campaign.comparisons.count() == Judgment.objects.count() == result.num_pairs
    assert all(prompt.messages[-1]["role"] == "user" for prompt in result.prompt_set.prompts.all())
    assert imported(factory, lines, is_skipping=True).num_pairs == 0
