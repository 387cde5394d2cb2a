"""An annotator's own progress: today's count and pace, the streak of days, the latest answers. Nobody else's."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection
from django.db.models.functions import TruncDate
from django.utils import timezone

from annotation import queue
from annotation.models import Annotator, Campaign, Judgment
from frontend.labeling import answer_text, displayed_answer

NUM_IN_HISTORY = 50
LONGEST_STREAK = 400  # days that are looked at


DAY = """
SELECT count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY active_ms) FROM annotation_judgment
WHERE annotator_id = %s AND is_current AND created_at >= %s
"""


@dataclass(frozen=True, kw_only=True)
class Day:
    """An annotator's own work since midnight."""

    num_done: int
    median_seconds: float | None  # of active time; None before the first
    streak: int = 0  # days in a row with work, today or up to yesterday


@dataclass(frozen=True, kw_only=True)
class HistoryLine:
    """One of the annotator's own answers."""

    judgment: int
    prompt: str  # the last turn
    answer: str  # in words, about displayed places
    seconds: float
    created_at: datetime
    is_revisable: bool


def day_of(annotator: Annotator) -> Day:
    """What the annotator has done today, in all campaigns of the workspace."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        cursor.execute(DAY, [annotator.pk, midnight])
        num_done, median_ms = cursor.fetchone()
    return Day(num_done=num_done, median_seconds=None if median_ms is None else median_ms / 1000)


def streak_of(annotator: Annotator) -> int:
    """Days in a row on which the annotator answered something; today need not have begun yet."""
    today = timezone.localdate()
    own = Judgment.objects.filter(annotator=annotator, created_at__gte=timezone.now() - timedelta(days=LONGEST_STREAK))
    days = own.annotate(day=TruncDate("created_at")).order_by("-day").values_list("day", flat=True).distinct()
    return length_of_streak(list(days), today)


def length_of_streak(days: list[date], today: date) -> int:
    """How many of the days, newest first, follow each other up to today or yesterday."""
    if not days or days[0] < today - timedelta(days=1):
        return 0
    return next((n for n, day in enumerate(days) if day != days[0] - timedelta(days=n)), len(days))


def history_of(campaign: Campaign, annotator: Annotator) -> list[HistoryLine]:
    """The annotator's latest answers in the campaign, newest first."""
    judgments = queue.recent_judgments(campaign=campaign, annotator=annotator, limit=NUM_IN_HISTORY)
    return [_line(judgment, nth) for nth, judgment in enumerate(judgments)]


def _line(judgment: Judgment, nth: int) -> HistoryLine:
    return HistoryLine(
        judgment=judgment.pk,
        prompt=str(judgment.comparison.prompt.messages[-1]["content"]),
        answer=answer_text(displayed_answer(judgment), queue.question_of(judgment.slot)),
        seconds=judgment.active_ms / 1000,
        created_at=judgment.created_at,
        is_revisable=nth < queue.NUM_REVISABLE,
    )
