"""An annotator's own progress."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from annotation.models import Judgment
from frontend.progress import day_of, history_of, length_of_streak, streak_of
from tests.factory import Factory

TODAY = date(2026, 3, 10)


def days_ago(*numbers: int) -> list[date]:
    return [TODAY - timedelta(days=number) for number in numbers]


@pytest.mark.parametrize(
    ("numbers", "length"), [((), 0), ((0,), 1), ((1, 2, 3), 3), ((0, 1, 3), 2), ((2, 3), 0), ((0, 2, 4), 1)]
)
def test_a_streak_ends_today_or_yesterday(numbers: tuple[int, ...], length: int) -> None:
    assert length_of_streak(days_ago(*numbers), TODAY) == length


def test_the_streak_counts_days_not_judgments(factory: Factory) -> None:
    campaign = factory.campaign(num_comparisons=4)
    for age, slot in enumerate(campaign.slots.all()):
        judgment = factory.judgment(slot)
        Judgment.objects.filter(pk=judgment.pk).update(created_at=timezone.now() - timedelta(days=age // 2))

    assert streak_of(factory.person()) == 2


def test_the_day_has_a_count_and_a_median_of_active_time(factory: Factory) -> None:
    campaign = factory.campaign(num_comparisons=4)
    for active_ms, slot in zip((1000, 2000, 9000, 3000), campaign.slots.all(), strict=True):
        factory.judgment(slot, active_ms=active_ms)
    old = Judgment.objects.earliest("pk")
    Judgment.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=2))

    day = day_of(factory.person())

    assert (day.num_done, day.median_seconds) == (3, 3.0)  # of 2, 9 and 3 seconds


def test_before_the_first_answer_there_is_no_median(factory: Factory) -> None:
    day = day_of(factory.person())

    assert (day.num_done, day.median_seconds) == (0, None)


def test_the_history_tells_answers_in_displayed_places(factory: Factory) -> None:
    judgment = factory.judgment(tiers=[[1], [0]])
    Judgment.objects.filter(pk=judgment.pk).update(display_order=[1, 0])

    (line,) = history_of(judgment.slot.campaign, factory.person())

    assert line.answer == "A is better"
    assert line.is_revisable
