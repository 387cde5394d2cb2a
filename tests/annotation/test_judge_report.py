"""A judge's report from rows, with figures that are counted by hand."""

from __future__ import annotations

import pytest

from annotation.judge_report import calibration_of, compute, family_of
from annotation.models import Annotator, Campaign, JudgeVersion, JudgingRun
from tests.factory import Factory
from tests.factory.columns import job_columns

FIRST, TIE, SECOND = [[0], [1]], [[0, 1]], [[1], [0]]


def verdict(
    run: JudgingRun, version: JudgeVersion, comparison: int, orders: list[list[list[int]]], **columns: object
) -> None:
    """What two displayed orders said; the answer is theirs if they agree, else a tie."""
    tiers = orders[0] if orders[0] == orders[1] else TIE
    shown = [[0, 1], [1, 0]]
    by_order = [
        {"display_order": order, "answer": None, "tiers": said} for order, said in zip(shown, orders, strict=True)
    ]
    run.verdicts.create(
        version=version,
        comparison_id=comparison,
        answer={"tiers": tiers},
        is_flipped=orders[0] != orders[1],
        details={"tiers": tiers, "by_order": by_order},
        **columns,
    )


@pytest.fixture
def judged(factory: Factory) -> tuple[Campaign, Annotator]:
    """Four comparisons, two people for the first reply each time; the judge says first, first, flipped, second."""
    campaign = factory.campaign(num_comparisons=4, overlap=2)
    judge = factory.llm_judge()
    factory.enrolment(campaign, judge)
    version = judge.versions.get()
    run = JudgingRun.objects.create(campaign=campaign, annotator=judge, version=version, **job_columns("finished"))
    people = [factory.person(), factory.person(factory.dana())]
    comparisons = list(campaign.comparisons.order_by("pk"))
    for comparison in comparisons:
        for slot, person in zip(comparison.slots.order_by("number"), people, strict=True):
            factory.judgment(slot, person, tiers=FIRST)
    said = [[FIRST, FIRST], [FIRST, FIRST], [FIRST, SECOND], [SECOND, SECOND]]
    for place, (comparison, orders) in enumerate(zip(comparisons, said, strict=True)):
        preference = (0.9, 0.9, 0.5, 0.1)[place]
        verdict(run, version, comparison.pk, orders, preference=preference, margin=abs(2 * preference - 1))
    return campaign, judge


def test_agreement_flips_and_soft_labels_are_those_of_the_rows(judged: tuple[Campaign, Annotator]) -> None:
    report = calibration_of(*judged)
    assert report.version == 1
    assert report.agreement.judge.raw.value == 0.5
    assert report.agreement.people.raw.value == 1.0
    assert (report.agreement.num_comparisons, report.agreement.num_judgments) == (4, 8)
    assert (report.flips.disagreeing.value, report.flips.disagreeing.n) == (0.25, 4)
    assert report.flips.first_place_twice.value == 1.0
    assert report.position.value == pytest.approx(
        5 / 8
    )  # three pairs of orders are balanced, one always took the first
    assert report.reliability.brier.value == pytest.approx((0.01 + 0.01 + 0.25 + 0.81) / 4)


def test_what_a_judge_keeps_is_clearer_and_agrees_more(judged: tuple[Campaign, Annotator]) -> None:
    curve = {round(point.min_margin, 2): point for point in compute(*judged, judged[1].versions.get()).curve}
    assert curve[0.5].kept.value == 0.75  # the flipped one goes to people
    assert curve[0.5].judge_agreement.value == pytest.approx(2 / 3)
    assert curve[0.5].expected_agreement == pytest.approx(0.75 * 2 / 3 + 0.25)


def test_a_new_version_is_held_against_the_one_before(judged: tuple[Campaign, Annotator]) -> None:
    campaign, judge = judged
    old = judge.versions.get()
    new = JudgeVersion.objects.get(pk=old.pk)
    new.pk, new.number = None, 2
    new.save()
    run = JudgingRun.objects.create(campaign=campaign, annotator=judge, version=new, **job_columns("finished"))
    for comparison in campaign.comparisons.all():
        verdict(run, new, comparison.pk, [FIRST, FIRST])
    report = calibration_of(campaign, judge)
    assert (report.version, report.agreement.judge.raw.value) == (2, 1.0)
    [(older, newer, drift)] = report.drift
    assert (older, newer, drift.same.value, drift.change.value) == (1, 2, 0.5, 0.5)
    assert calibration_of(campaign, judge, old).agreement.judge.raw.value == 0.5


def test_a_judge_without_versions_is_held_against_people_by_its_judgments(factory: Factory) -> None:
    campaign, rubric = factory.campaign(num_comparisons=2, overlap=2), factory.judge()
    for comparison in campaign.comparisons.all():
        first, second = comparison.slots.order_by("number")
        factory.judgment(first)
        factory.judgment(second, rubric, tiers=TIE)
    report = calibration_of(campaign, rubric)
    assert report.agreement.judge.raw.value == 0.0
    assert (report.cost, report.curve, report.num_judged) == (None, [], 2)
    assert report.reliability.ece.reason


def test_a_family_is_the_first_word_of_a_models_name() -> None:
    names = ("Qwen/Qwen2.5-7B-Instruct", "qwen-72b", "GPT-4 · llmfao", "2024")
    assert [family_of(name) for name in names] == ["qwen", "qwen", "gpt", ""]
