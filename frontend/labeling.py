"""What a labeler sees: a task without any trace of where its replies come from, and their own day."""

from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from annotation.models import Annotator, Campaign, Comparison, Enrolment, Judgment, Slot
from annotation.question import Question
from frontend.choices import Choice, pairwise_choices

PAIRWISE_NAMES = "AB"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One reply at its place on the page."""

    place: int  # 0 is leftmost
    name: str  # "A" or "1": neutral
    text: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """A leased slot as the page shows it."""

    slot: Slot
    question: Question
    earlier_turns: list[dict[str, str]]
    last_turn: str
    replies: list[Reply]
    choices: list[Choice]  # empty for rankings
    seconds_left: int  # of the lease
    idempotency_key: str

    @property
    def is_ranking(self) -> bool:
        return self.question.kind == "ranking"


@dataclass(frozen=True, kw_only=True)
class Day:
    """An annotator's own work since midnight."""

    num_done: int
    median_seconds: float | None  # of active time; None before the first


@dataclass(frozen=True, kw_only=True)
class WaitingCampaign:
    """A line of a labeler's list of campaigns."""

    campaign: Campaign
    num_waiting: int  # tasks that this person could be served now
    num_done: int  # by this person
    pause_reason: str  # why this person is not served; empty if they are


def build_task(slot: Slot, campaign: Campaign, *, now: datetime) -> Task:
    """The task of a leased slot of the campaign: the replies in the order in which this annotator shall see them."""
    question = Question.from_json(campaign.question)
    comparison = Comparison.objects.select_related("prompt").get(pk=slot.comparison_id)
    by_position = list(comparison.candidates.order_by("position").values_list("completion__text", flat=True))
    names = PAIRWISE_NAMES if question.kind == "pairwise" else "123456789"
    replies = [
        Reply(place=place, name=names[place], text=by_position[position])
        for place, position in enumerate(slot.display_order)
    ]
    messages: list[dict[str, str]] = comparison.prompt.messages
    return Task(
        slot=slot,
        question=question,
        earlier_turns=messages[:-1],
        last_turn=messages[-1]["content"],
        replies=replies,
        choices=pairwise_choices(question) if question.kind == "pairwise" else [],
        seconds_left=max(0, round((slot.leased_until - now).total_seconds())) if slot.leased_until else 0,
        idempotency_key=str(slot.token),
    )


def day_of(annotator: Annotator) -> Day:
    """What the annotator has done today, in all campaigns of the workspace."""
    since = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = Judgment.objects.current().filter(annotator=annotator, created_at__gte=since)
    times = list(rows.values_list("active_ms", flat=True))
    return Day(num_done=len(times), median_seconds=median(times) / 1000 if times else None)


def campaigns_of(user: User, *, now: datetime) -> list[WaitingCampaign]:
    """The campaigns that the user is enrolled in and that are not closed or in preparation, served ones first."""
    enrolments = Enrolment.objects.filter(
        annotator__user=user, campaign__status__in=(Campaign.Status.OPEN, Campaign.Status.PAUSED)
    )
    lines = [_line(enrolment, now) for enrolment in enrolments.select_related("campaign", "annotator")]
    return sorted(lines, key=lambda line: (line.num_waiting == 0, line.campaign.name))


def answer_text(answer: dict[str, Any]) -> str:
    """An answer about displayed places in words, for somebody whose lease was lost: "3 > 1 = 2"."""
    if answer.get("cant_judge"):
        return "I can’t judge this"
    tiers = answer.get("tiers") or []
    names = PAIRWISE_NAMES if sum(map(len, tiers)) == len(PAIRWISE_NAMES) else "123456789"
    return " > ".join(" = ".join(names[place] for place in tier) for tier in tiers)


def _line(enrolment: Enrolment, now: datetime) -> WaitingCampaign:
    campaign, annotator = enrolment.campaign, enrolment.annotator
    is_served = enrolment.is_active and campaign.status == Campaign.Status.OPEN
    reason = enrolment.pause_reason or "paused by the manager"
    return WaitingCampaign(
        campaign=campaign,
        num_waiting=_num_waiting(campaign, annotator, now) if is_served else 0,
        num_done=campaign.slots.filter(annotator=annotator, judged_at__isnull=False).count(),
        pause_reason="" if is_served else reason,
    )


def _num_waiting(campaign: Campaign, annotator: Annotator, now: datetime) -> int:
    free = Q(annotator=None) | Q(leased_until__lt=now) | Q(annotator=annotator)
    judged = campaign.slots.filter(annotator=annotator, judged_at__isnull=False).values("comparison")
    open_slots = campaign.slots.filter(free, judged_at=None).exclude(comparison__in=judged)
    return open_slots.values("comparison").distinct().count()
