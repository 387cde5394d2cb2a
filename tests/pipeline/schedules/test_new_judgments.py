"""What counts as new to a schedule."""

from __future__ import annotations

from annotation.models import Judgment, Slot
from pipeline.models import TrainingSchedule
from pipeline.schedules import new_judgments
from tests.factory import Factory
from tests.pipeline.schedules.walk import judged_schedule


def new(schedule: TrainingSchedule) -> tuple[int, int]:
    counted = new_judgments.count(schedule)
    return counted.num_new, counted.num_since_start


def judge_more(factory: Factory, schedule: TrainingSchedule, number: int) -> None:
    campaign = schedule.campaigns.earliest("pk")
    for _ in range(number):
        factory.judgment(factory.comparison(campaign).slots.first(), factory.judge())


def test_everything_is_new_to_a_schedule_that_has_not_fired(factory: Factory) -> None:
    assert new(judged_schedule(factory)) == (8, 8)


def test_what_a_decision_saw_is_no_longer_new(factory: Factory) -> None:
    schedule = judged_schedule(factory)
    factory.firing(schedule, judgments_seen=new_judgments.count(schedule).seen)
    assert new(schedule) == (0, 0)
    judge_more(factory, schedule, 3)
    assert new(schedule) == (3, 3)


def test_after_a_failure_the_same_judgments_are_new_but_the_count_waits_for_others(factory: Factory) -> None:
    schedule = judged_schedule(factory)
    seen = new_judgments.count(schedule).seen
    factory.firing(schedule, status="failed", judgments_seen=seen)
    factory.firing(schedule, status="skipped", judgments_seen=seen)
    assert new(schedule) == (8, 0)
    judge_more(factory, schedule, 2)
    assert new(schedule) == (10, 2)


def test_a_revision_is_news_and_gold_repeats_and_excluded_annotators_are_not(factory: Factory) -> None:
    campaign = factory.judged_campaign()
    judge = campaign.enrolments.exclude(annotator=factory.person()).earliest("pk").annotator
    schedule = factory.schedule(campaigns=[campaign], filter={"excluded_annotators": [judge.pk]})
    assert new(schedule) == (4, 4)
    kept = Judgment.objects.exclude(annotator=judge)
    kept.filter(pk=kept.earliest("pk").pk).update(is_current=False)  # a revision stands beside what it replaced
    assert new(schedule) == (4, 4)
    kept.filter(pk=kept.latest("pk").pk).update(purpose=Slot.Purpose.GOLD)
    assert new(schedule) == (3, 3)


def test_a_campaign_that_joins_later_is_new_as_a_whole(factory: Factory) -> None:
    schedule = judged_schedule(factory)
    factory.firing(schedule, judgments_seen=new_judgments.count(schedule).seen)
    schedule.campaigns.add(factory.judged_campaign(num_comparisons=1))
    assert new(schedule) == (2, 2)
    assert new_judgments.count(schedule).total == 10
