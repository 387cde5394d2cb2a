"""What a labeler sees: a task without any trace of where its replies come from, and the campaigns that wait."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import User
from annotation import answers, opt_outs, queue, rationales, slot_numbers
from annotation.models import Annotator, Campaign, Enrolment, Judgment, Slot
from annotation.question import Question
from annotation.task_content import content_of
from frontend.choices import Choice, label_of, pairwise_choices

PAIRWISE_NAMES = "AB"
RANKING_NAMES = "123456789"
FEW = 10


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One reply at its place on the page."""

    place: int  # 0 is leftmost
    name: str  # "A" or "1": neutral
    text: str


@dataclass(frozen=True, kw_only=True)
class Task:
    """A leased slot, or an earlier answer that is given anew, as the page shows it."""

    slot: Slot
    question: Question
    earlier_turns: list[dict[str, str]]
    last_turn: str
    replies: list[Reply]
    choices: list[Choice]  # of pairwise questions
    seconds_left: int  # of the lease
    idempotency_key: str
    wants_rationale: bool  # this very task demands a written reason
    is_sensitive: bool  # blurred until asked for
    draft: str = ""  # JSON: what was answered so far, in displayed places
    revises: int | None = None  # the judgment that is given anew

    @property
    def number(self) -> int:
        """The slot's, as its annotator sees it."""
        return slot_numbers.shown(self.slot.pk)

    @property
    def is_ranking(self) -> bool:
        return self.question.kind == "ranking"

    @property
    def one_press(self) -> bool:
        """Whether a single key answers it."""
        return self.question.is_one_press and not self.wants_rationale


@dataclass(frozen=True, kw_only=True)
class WaitingCampaign:
    """A line of a labeler's list of campaigns."""

    campaign: Campaign
    num_waiting: int  # tasks that this person could be served now
    num_done: int  # by this person
    pause_reason: str  # why this person is not served; empty if they are

    @property
    def waiting(self) -> str:
        """Roughly how many: an exact number would stand still after a gold item or a repeat, and so tell of it."""
        return f"about {round(self.num_waiting, -1)}" if self.num_waiting >= FEW else "a few"


def build_task(slot: Slot, campaign: Campaign, *, now: datetime) -> Task:
    """The task of a leased slot of the campaign: the replies in the order in which this annotator shall see them."""
    slot.campaign = campaign
    return Task(
        **_shown(slot),
        seconds_left=max(0, round((slot.leased_until - now).total_seconds())) if slot.leased_until else 0,
        idempotency_key=str(slot.token),
        draft=json.dumps(slot.draft) if isinstance(slot.draft, dict) else "",
    )


def build_revision(judgment: Judgment) -> Task:
    """The task of an earlier answer, with that answer in it."""
    slot: Slot = judgment.slot
    draft = json.dumps({"answer": displayed_answer(judgment)})
    return Task(**_shown(slot), seconds_left=0, idempotency_key="", draft=draft, revises=judgment.pk)


def displayed_answer(judgment: Judgment) -> dict[str, Any]:
    """A stored answer in the places at which the replies were shown; empty if the question of then is unknown."""
    try:
        canonical = answers.parse_answer(
            judgment.answer,
            question=queue.question_of(judgment.slot),
            num_completions=len(judgment.display_order),
            wants_rationale=False,
        )
        return answers.to_displayed(canonical, judgment.display_order).to_json()
    except answers.AnswerRefused:
        return {}


def campaigns_of(user: User, *, now: datetime) -> list[WaitingCampaign]:
    """The campaigns that the user is enrolled in and that are not closed or in preparation, served ones first."""
    enrolments = Enrolment.objects.filter(
        annotator__user=user, campaign__status__in=(Campaign.Status.OPEN, Campaign.Status.PAUSED)
    )
    lines = [_line(enrolment, now) for enrolment in enrolments.select_related("campaign", "annotator")]
    return sorted(lines, key=lambda line: (line.num_waiting == 0, line.campaign.name))


def answer_text(answer: dict[str, Any], question: Question | None = None) -> str:
    """An answer about displayed places in words: those of its button, "3 > 1 = 2", "points 4, 5", a reply's start."""
    label = label_of(answer, question) if question is not None and question.kind == "pairwise" else ""
    if label:
        return label
    if answer.get("cant_judge"):
        return "I can’t judge this"
    if answer.get("both_bad"):
        return "both are bad"
    parts = [_order_text(answer), _ratings_text(answer), _excerpt(str(answer.get("demonstration") or ""), 80)]
    return ", ".join(part for part in parts if part)


def _order_text(answer: dict[str, Any]) -> str:
    """The tiers; a rating's own order is in its points."""
    tiers, unranked = answer.get("tiers") or [], answer.get("unranked") or []
    if answer.get("ratings") and len(tiers) == sum(map(len, tiers)) == 1:
        return ""
    names = PAIRWISE_NAMES if sum(map(len, tiers)) + len(unranked) == len(PAIRWISE_NAMES) else RANKING_NAMES
    order = " > ".join(" = ".join(names[place] for place in tier) for tier in tiers)
    strength = f" (strength {answer['strength']})" if answer.get("strength") else ""
    return order + strength


def _ratings_text(answer: dict[str, Any]) -> str:
    ratings = answer.get("ratings") or []
    return f"points {', '.join('–' if points is None else str(points) for points in ratings)}" if ratings else ""


def _excerpt(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length].rstrip()} …"


def _shown(slot: Slot) -> dict[str, Any]:
    """What a task says, whether new or given anew. The slot's campaign is loaded."""
    question = queue.question_of(slot)
    content = content_of(slot.comparison_id)
    names = PAIRWISE_NAMES if question.kind == "pairwise" else RANKING_NAMES
    return {
        "slot": slot,
        "question": question,
        "earlier_turns": content.messages[:-1],
        "last_turn": content.messages[-1]["content"],
        "replies": [
            Reply(place=place, name=names[place], text=content.texts[position])
            for place, position in enumerate(slot.display_order)
        ],
        "choices": pairwise_choices(question) if question.kind == "pairwise" else [],
        "wants_rationale": rationales.is_wanted(slot, question),
        "is_sensitive": opt_outs.SENSITIVE in content.categories,
    }


def _line(enrolment: Enrolment, now: datetime) -> WaitingCampaign:
    campaign, annotator = enrolment.campaign, enrolment.annotator
    is_served = enrolment.is_active and campaign.status == Campaign.Status.OPEN
    reason = enrolment.pause_reason or "paused by the manager"
    own = Judgment.objects.current().filter(annotator=annotator, slot__campaign=campaign)
    return WaitingCampaign(
        campaign=campaign,
        num_waiting=_num_waiting(campaign, annotator, now) if is_served else 0,
        num_done=own.count(),
        pause_reason="" if is_served else reason,
    )


def _num_waiting(campaign: Campaign, annotator: Annotator, now: datetime) -> int:
    """Comparisons that could be served: open, free, neither seen nor skipped, of no category that is opted out of."""
    free = Q(annotator=None) | Q(leased_until__lt=now) | Q(annotator=annotator)
    seen = campaign.slots.filter(annotator=annotator, judged_at__isnull=False).values("comparison")
    wanted = campaign.slots.filter(free, judged_at=None, withdrawn_at=None, purpose=Slot.Purpose.MAIN)
    open_slots = wanted.exclude(comparison__in=seen).exclude(comparison__skips__annotator=annotator)
    hidden = opt_outs.opt_outs_today(campaign, annotator, now)
    visible = open_slots.exclude(comparison__categories__overlap=hidden) if hidden else open_slots
    return visible.values("comparison").distinct().count()
