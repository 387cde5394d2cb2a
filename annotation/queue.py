"""Slots: who is served what, under which lease, and how an answer becomes a judgment.

A comparison has exactly as many slots as it wants judgments. One statement claims a slot that is free or whose lease
has run out, skipping rows that others are claiming at this moment; a judgment needs the lease's token. So no comparison
is judged more often than asked and no annotator judges one twice, whatever the number of processes.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from annotation import answers
from annotation.answers import Answer
from annotation.models import Annotator, Campaign, Enrolment, Judgment, Slot
from annotation.question import Question
from core.errors import ConcordError

# The annotator's next slots: served by priority, then first judgments before second ones (coverage), then age.
# Several at once are of different comparisons: only the lowest open slot of each is looked at.
CLAIM = """
UPDATE annotation_slot AS slot
SET annotator_id = %(annotator)s, token = %(token)s, leased_until = %(until)s, draft = NULL,
    display_order = ARRAY(SELECT place FROM generate_series(0, chosen.num_completions - 1) AS place ORDER BY random())
FROM (
    SELECT open.id, comparison.num_completions
    FROM annotation_slot AS open
    JOIN annotation_comparison AS comparison ON comparison.id = open.comparison_id
    WHERE open.campaign_id = %(campaign)s
      AND open.judged_at IS NULL
      AND (open.annotator_id IS NULL OR open.leased_until < %(now)s)
      AND NOT EXISTS (
          SELECT 1 FROM annotation_slot AS own
          WHERE own.comparison_id = open.comparison_id AND own.annotator_id = %(annotator)s
      )
      AND (%(limit)s = 1 OR NOT EXISTS (
          SELECT 1 FROM annotation_slot AS lower
          WHERE lower.comparison_id = open.comparison_id AND lower.number < open.number
            AND lower.judged_at IS NULL AND (lower.annotator_id IS NULL OR lower.leased_until < %(now)s)
      ))
    ORDER BY open.priority DESC, open.number, open.id
    LIMIT %(limit)s
    FOR UPDATE OF open SKIP LOCKED
) AS chosen
WHERE slot.id = chosen.id
RETURNING slot.id
"""


class LeaseLost(ConcordError):
    """The slot is no longer this annotator's to answer."""

    status = 409
    title = "The lease has been lost"


class KeyReused(ConcordError):
    """An idempotency key came back with another slot, so this answer would be lost."""

    status = 409
    title = "This idempotency key has been used"


class AnswerRefused(ConcordError):
    """The answer breaks a rule of the question."""

    status = 422
    title = "The answer is not complete"


def claim_next_slot(*, campaign: Campaign, annotator: Annotator, now: datetime | None = None) -> Slot | None:
    """The annotator's next task under a lease: their own unfinished one first. None if there is nothing to do."""
    now = now or timezone.now()
    own = _renew_own(campaign, annotator, now)
    if own is not None:
        return own
    if campaign.status != Campaign.Status.OPEN or not _is_active(campaign, annotator):
        return None
    try:
        with transaction.atomic():
            return next(iter(_claim(campaign, annotator, now, limit=1)), None)
    except IntegrityError:  # the same annotator claimed in another tab at this moment
        return _renew_own(campaign, annotator, now)


def claim_slots(*, campaign: Campaign, annotator: Annotator, limit: int, now: datetime | None = None) -> list[Slot]:
    """Up to `limit` tasks at once, for judges; the annotator's unfinished ones are among them."""
    now = now or timezone.now()
    own = list(Slot.objects.filter(campaign=campaign).open_lease_of(annotator.pk)[:limit])
    until = now + timedelta(seconds=campaign.lease_seconds)
    Slot.objects.filter(pk__in=[slot.pk for slot in own], annotator=annotator, judged_at=None).update(
        leased_until=until
    )
    if len(own) == limit or campaign.status != Campaign.Status.OPEN or not _is_active(campaign, annotator):
        return own
    with transaction.atomic():
        claimed = _claim(campaign, annotator, now, limit=limit - len(own))
    if own or claimed:
        return [*own, *claimed]
    single = claim_next_slot(campaign=campaign, annotator=annotator, now=now)  # a lower slot may just have been locked
    return [single] if single is not None else []


def submit_judgment(
    *,
    slot_id: int,
    annotator: Annotator,
    token: str | uuid.UUID,
    answer: dict[str, Any],
    idempotency_key: str,
    active_ms: int = 0,
    total_ms: int = 0,
    now: datetime | None = None,
) -> Judgment:
    """Store the answer to a leased slot. `answer` speaks of displayed places, left to right from 0.

    The same key gives the same judgment however often it is sent. An answer after the lease's end is taken while nobody
    else holds the slot. Raises `LeaseLost` (the draft stays with the sender) or `AnswerRefused` with the broken rule.
    """
    with transaction.atomic():
        slot = Slot.objects.select_for_update(of=("self",)).select_related("campaign").filter(pk=slot_id).first()
        # Looked up under the slot's lock: the same answer may arrive twice at once.
        known: Judgment | None = Judgment.objects.filter(annotator=annotator, idempotency_key=idempotency_key).first()
        if known is not None:
            if known.slot_id != slot_id:
                raise KeyReused(f"It belongs to your answer to slot {known.slot_id}; make a new key for every answer.")
            return known
        _check_lease(slot, annotator, token)
        assert slot is not None  # noqa: S101 -- _check_lease raises otherwise; this tells the type checker
        canonical = _canonical(slot, answer)
        slot.judged_at = now or timezone.now()
        slot.draft = None
        slot.save(update_fields=["judged_at", "draft"])
        measured = {"active_ms": max(0, active_ms), "total_ms": max(0, total_ms)}
        judgment = _judgment(slot, annotator, canonical, idempotency_key, **measured)
        judgment.save()
    return judgment


def submit_judgments(
    *, annotator: Annotator, answers_of: Mapping[int, dict[str, Any]], key_prefix: str, now: datetime | None = None
) -> int:
    """Store a judge's answers (slot id → answer in displayed places) in one transaction; returns how many are new.

    Slots whose lease is lost, or that are answered already, are passed over: somebody has judged them.
    """
    with transaction.atomic():
        held = Slot.objects.select_for_update(of=("self",)).select_related("campaign")
        slots = list(held.filter(pk__in=answers_of, annotator=annotator, judged_at=None).order_by("pk"))
        judged_at = now or timezone.now()
        Slot.objects.filter(pk__in=[slot.pk for slot in slots]).update(judged_at=judged_at, draft=None)
        Judgment.objects.bulk_create(
            _judgment(slot, annotator, _canonical(slot, answers_of[slot.pk]), f"{key_prefix}-{slot.pk}")
            for slot in slots
        )
    return len(slots)


def _judgment(slot: Slot, annotator: Annotator, canonical: Answer, key: str, **measured: int) -> Judgment:
    """The row of an answer, with everything that was true when it was given."""
    return Judgment(
        slot=slot,
        comparison_id=slot.comparison_id,
        annotator=annotator,
        answer=canonical.to_json(),
        display_order=slot.display_order,
        question_version=slot.campaign.question_version,
        guideline_version=slot.campaign.guideline_version,
        idempotency_key=key,
        **measured,
    )


def release_slot(*, slot_id: int, annotator: Annotator, token: str | uuid.UUID) -> bool:
    """Give an unanswered slot back, for instance when the page is left. False if the lease was not held."""
    released = Slot.objects.filter(pk=slot_id, annotator=annotator, token=_as_uuid(token), judged_at=None).update(
        annotator=None, token=None, leased_until=None, display_order=[], draft=None
    )
    return bool(released)


def why_nothing(*, campaign: Campaign, annotator: Annotator, now: datetime | None = None) -> str:
    """Why `claim_next_slot` has nothing for this annotator, in words for them."""
    now = now or timezone.now()
    enrolment = Enrolment.objects.filter(campaign=campaign, annotator=annotator).first()
    if enrolment is None:
        return "You are not enrolled in this campaign. Ask its manager to add you."
    if not enrolment.is_active:
        return f"Your work here is paused: {enrolment.pause_reason or 'ask the manager of this campaign'}."
    if campaign.status != Campaign.Status.OPEN:
        return f"This campaign is {campaign.get_status_display().lower()}: no tasks are served at the moment."
    if not campaign.slots.exists():
        return "This campaign has no comparisons yet: it waits for candidates."
    open_slots = campaign.slots.filter(judged_at=None).exclude(comparison__slots__annotator=annotator)
    if not open_slots.exists():
        return "You have judged everything that this campaign wants from you. Thank you."
    soonest = open_slots.filter(leased_until__gte=now).order_by("leased_until").first()
    if soonest is not None and soonest.leased_until is not None:
        minutes = max(1, round((soonest.leased_until - now).total_seconds() / 60))
        return f"All remaining tasks are with other annotators; one may come free in {minutes} min."
    return "Nothing is free at this moment; try again."


def _renew_own(campaign: Campaign, annotator: Annotator, now: datetime) -> Slot | None:
    """The annotator's unanswered slot, its lease renewed under the same token and order."""
    until = now + timedelta(seconds=campaign.lease_seconds)
    own: Slot | None = Slot.objects.filter(campaign=campaign).open_lease_of(annotator.pk).first()
    if own is None:
        return None
    if not Slot.objects.filter(pk=own.pk, token=own.token, judged_at=None).update(leased_until=until):
        return None  # taken over between the two statements
    own.leased_until = until
    return own


def _claim(campaign: Campaign, annotator: Annotator, now: datetime, *, limit: int) -> list[Slot]:
    values: dict[str, Any] = {
        "annotator": annotator.pk,
        "campaign": campaign.pk,
        "token": uuid.uuid4(),
        "limit": limit,
        "now": now,
        "until": now + timedelta(seconds=campaign.lease_seconds),
    }
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, values)
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(Slot.objects.filter(pk__in=ids).order_by("-priority", "number", "pk"))


def _is_active(campaign: Campaign, annotator: Annotator) -> bool:
    return Enrolment.objects.filter(campaign=campaign, annotator=annotator, is_active=True).exists()


def _check_lease(slot: Slot | None, annotator: Annotator, token: str | uuid.UUID) -> None:
    if slot is None or slot.annotator_id != annotator.pk or slot.token != _as_uuid(token):
        raise LeaseLost("Your lease on this task ran out and somebody else has taken it. Your draft is kept here.")
    if slot.judged_at is not None:
        raise LeaseLost("You have already answered this task, in another tab perhaps.")


def _canonical(slot: Slot, answer: dict[str, Any]) -> Answer:
    """The stored form: the same whatever order was shown."""
    question = Question.from_json(slot.campaign.question)
    try:
        displayed = answers.parse_answer(answer, question=question, num_completions=len(slot.display_order))
        return answers.to_canonical(displayed, slot.display_order)
    except answers.AnswerRefused as error:
        raise AnswerRefused(f"{str(error)[:1].upper()}{str(error)[1:]}.", rule=error.rule) from error


def _as_uuid(token: str | uuid.UUID) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(token))
    except ValueError:
        return None
