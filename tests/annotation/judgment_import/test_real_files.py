"""Real research data, where it is on this machine; nothing of it is part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from annotation.judgment_import.service import JudgmentImport, import_judgments
from annotation.models import Comparison, Judgment, Slot
from core import source_files as files
from tests.factory import Factory

DATA = Path(os.environ.get("CONCORD_TEST_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))


def imported(factory: Factory, name: str, *, skip_malformed: bool = False) -> JudgmentImport:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here; set CONCORD_TEST_DATA to a folder that has {name}")
    return import_judgments(
        workspace=factory.workspace(), name="Real", files=files.from_path(path), skip_malformed=skip_malformed
    )


def test_the_llmfao_votes_come_in_whole(factory: Factory) -> None:
    report = imported(factory, "llmfao")
    assert (report.num_added, report.num_comparisons, report.num_annotators) == (8931 + 2139, 2139, 124 + 1)
    people = Judgment.objects.filter(annotator__parameters__source="person")
    ties = sum(len(answer["tiers"]) == 1 for answer in people.values_list("answer", flat=True))
    assert (people.count(), ties) == (8931, 3471)
    left = sum(answer["tiers"][0] == [order[0]] for answer, order in people.values_list("answer", "display_order"))
    assert left == 2911  # the left one was preferred that often, in the file too
    assert Slot.objects.count() == 11070
    assert imported(factory, "llmfao").num_known == 11070


def test_the_ranked_replies_of_open_assistant_come_in_whole(factory: Factory) -> None:
    report = imported(factory, "oasst_en_100")
    assert (report.num_rows, report.num_added, report.num_completions) == (100, 212, 641)
    sizes = set(Comparison.objects.values_list("num_completions", flat=True))
    assert (min(sizes), max(sizes), report.campaign.question["num_completions"]) == (2, 9, 9)


def test_the_dialogues_of_hh_rlhf_come_in_but_for_a_few_empty_ones(factory: Factory) -> None:
    report = imported(factory, "hh_rlhf", skip_malformed=True)
    assert report.num_added + report.num_known + report.num_malformed == report.num_rows == 2312
    assert report.num_malformed < 0.01 * report.num_rows
    assert {problem.file for problem in report.problems} == {"test.jsonl"}
