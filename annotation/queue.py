"""Slots: who is served what, under which lease, and how an answer becomes a judgment.

A comparison has exactly as many slots as it wants judgments. One statement (`annotation.claims`) claims a slot that is
free or whose lease has run out, skipping rows that others are claiming at this moment; a judgment needs the lease's
token. So no comparison is judged more often than asked and no annotator judges one twice, whatever the number of
processes.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from annotation import answers, claims, gold, rationales, selection, submission
from annotation.answers import Answer
from annotation.models import Annotator, Campaign, Enrolment, Judgment, QuestionVersion, Skip, Slot
from annotation.opt_outs import opt_outs_today
from annotation.question import Question
from annotation.queue_reasons import why_nothing, why_served
from annotation.text_lengths import lengths_shown
from core.compiled import CompiledQuery
from core.errors import ConcordError

__all__ = ["why_nothing", "why_served"]

NUM_REVISABLE = 10  # of an annotator's latest judgments in a campaign
MAX_DRAFT_CHARACTERS = 200_000

SLOT = CompiledQuery(lambda slot: Slot.objects.select_related("campaign").filter(pk=slot).order_by(), slot=-1)


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


class NotRevisable(ConcordError):
    """The judgment is not one of the annotator's latest, or has been revised already."""

    status = 409
    title = "This answer can no longer be changed"


def claim_next_slot(
    *,
    campaign: Campaign,
    annotator: Annotator,
    tab: str = "",
    holding: Sequence[int] = (),
    now: datetime | None = None,
) -> Slot | None:
    """The annotator's next task under a lease: their own unfinished one first. None if there is nothing to do.

    `holding` names slots that the annotator's page has already, so that it can fetch the one after. `tab` is kept with
    a new lease; an unfinished slot keeps the tab that it was opened in.
    """
    now = now or timezone.now()
    hidden = opt_outs_today(campaign, annotator, now)
    try:
        with claims.in_one_piece(is_single_statement=True):
            found = claims.claim(campaign, annotator, now=now, tab=tab, holding=holding, opt_outs=hidden)
    except IntegrityError:  # the same annotator claimed in another tab at this moment
        with claims.in_one_piece(is_single_statement=True):
            found = claims.claim(campaign, annotator, now=now, tab=tab, holding=holding, opt_outs=hidden)
    slot = next(iter(found), None)
    if slot is not None:
        rationales.fix(slot, campaign)
    return slot


def claim_slots(*, campaign: Campaign, annotator: Annotator, limit: int, now: datetime | None = None) -> list[Slot]:
    """Up to `limit` tasks at once, for judges; the annotator's unfinished ones are among them."""
    now = now or timezone.now()
    own = list(Slot.objects.filter(campaign=campaign).open_lease_of(annotator.pk)[:limit])
    until = now + timedelta(seconds=campaign.lease_seconds)
    Slot.objects.filter(pk__in=[slot.pk for slot in own], annotator=annotator, judged_at=None).update(
        leased_until=until
    )
    claimed: list[Slot] = []
    if len(own) < limit:
        with transaction.atomic():
            claimed = claims.claim(campaign, annotator, now=now, limit=limit - len(own), renews_own=False)
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
    slot = SLOT.first(slot=slot_id)
    if slot is None or slot.judged_at is not None or slot.annotator_id != annotator.pk:
        known = _known(annotator, idempotency_key, slot_id)
        if known is not None:
            return known
    _check_lease(slot, annotator, token)
    assert slot is not None  # noqa: S101 -- _check_lease raises otherwise; this tells the type checker
    canonical = _canonical(slot, answer)
    judgment = _judgment(slot, annotator, canonical, idempotency_key, active_ms=active_ms, total_ms=total_ms)
    with claims.in_one_piece(is_single_statement=slot.purpose == Slot.Purpose.MAIN):
        try:
            judgment.pk, judgment.created_at = submission.store(judgment, token=slot.token, now=now or timezone.now())
        except submission.NotStored:  # between the two statements it was answered, taken over, or sent twice
            return _resolved(annotator, idempotency_key, slot_id, token)
        gold.check(slot, judgment)
    selection.update_after(slot)
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
        judgments = Judgment.objects.bulk_create(
            _judgment(slot, annotator, _canonical(slot, answers_of[slot.pk]), f"{key_prefix}-{slot.pk}")
            for slot in slots
        )
        for slot, judgment in zip(slots, judgments, strict=True):
            gold.check(slot, judgment)
    for slot in selection.one_of_each_prompt(slots):
        selection.update_after(slot)
    return len(slots)


def revise_judgment(
    *,
    judgment_id: int,
    annotator: Annotator,
    answer: dict[str, Any],
    idempotency_key: str,
    active_ms: int = 0,
    total_ms: int = 0,
) -> Judgment:
    """Replace one of the annotator's latest answers by a newer row; `answer` speaks of the places shown then.

    Raises `NotRevisable`, or `AnswerRefused` with the broken rule.
    """
    with transaction.atomic():
        rows = Judgment.objects.select_for_update(of=("self",)).select_related("slot__campaign")
        old = rows.filter(pk=judgment_id, annotator=annotator).first()
        known = _known(annotator, idempotency_key, old.slot_id if old else 0)
        if known is not None:
            return known
        slot = _revisable_slot(old, annotator)
        Judgment.objects.filter(pk=judgment_id).update(is_current=False)
        measured = {"active_ms": active_ms, "total_ms": total_ms}
        judgment = _judgment(slot, annotator, _canonical(slot, answer), idempotency_key, **measured)
        judgment.revises_id = judgment_id
        _insert(judgment, slot.pk)
    selection.update_after(slot)
    return judgment


def recent_judgments(*, campaign: Campaign, annotator: Annotator, limit: int = NUM_REVISABLE) -> list[Judgment]:
    """The annotator's latest answers in the campaign, newest first; the first ten can be revised."""
    rows = Judgment.objects.current().filter(slot__campaign=campaign, annotator=annotator)
    slots = rows.exclude(purpose=Slot.Purpose.ADJUDICATION).select_related("slot__campaign", "comparison__prompt")
    return list(slots.order_by("-slot__judged_at", "-pk")[:limit])


def skip_slot(*, slot_id: int, annotator: Annotator, token: str | uuid.UUID, reason: str = "") -> bool:
    """Give a task away for good: it is not served to this annotator again. False if the lease was not held.

    By the campaign's policy it goes to others, or its judgment is no longer wanted.
    """
    with transaction.atomic():
        rows = Slot.objects.select_for_update(of=("self",)).select_related("campaign")
        slot = rows.filter(pk=slot_id, annotator=annotator, token=_as_uuid(token), judged_at=None).first()
        if slot is None:
            return False
        Skip.objects.get_or_create(
            comparison_id=slot.comparison_id,
            annotator=annotator,
            defaults={"campaign": slot.campaign, "reason": reason.strip()[:500]},
        )
        if slot.purpose != Slot.Purpose.MAIN:
            slot.delete()
            return True
        is_dropped = slot.campaign.skip_policy == Campaign.SkipPolicy.DROP
        _free(Slot.objects.filter(pk=slot.pk), withdrawn_at=timezone.now() if is_dropped else None)
    return True


def save_draft(*, slot_id: int, annotator: Annotator, token: str | uuid.UUID, draft: dict[str, Any]) -> bool:
    """Keep an unfinished answer with the slot. False if the lease is not held."""
    held = Slot.objects.filter(pk=slot_id, annotator=annotator, token=_as_uuid(token), judged_at=None)
    return bool(held.update(draft=draft))


def renew_lease(*, slot_id: int, annotator: Annotator, token: str | uuid.UUID, now: datetime | None = None) -> datetime:
    """Prolong a lease; returns its new end. Raises `LeaseLost`."""
    now = now or timezone.now()
    slot = SLOT.first(slot=slot_id)
    _check_lease(slot, annotator, token)
    assert slot is not None  # noqa: S101 -- _check_lease raises otherwise
    until = now + timedelta(seconds=slot.campaign.lease_seconds)
    if not Slot.objects.filter(pk=slot_id, token=slot.token, judged_at=None).update(leased_until=until):
        raise LeaseLost("Somebody else has taken this task at this moment. Your draft is kept here.")
    return until


def take_over(*, slot_id: int, annotator: Annotator, tab: str) -> bool:
    """Move an unfinished task of one's own to another tab. False if it is not theirs any more."""
    return bool(Slot.objects.filter(pk=slot_id, annotator=annotator, judged_at=None).update(tab=tab))


def release_slot(*, slot_id: int, annotator: Annotator, token: str | uuid.UUID) -> bool:
    """Give an unanswered slot back, for instance when the page is left. False if the lease was not held."""
    held = Slot.objects.filter(pk=slot_id, annotator=annotator, token=_as_uuid(token), judged_at=None)
    if held.exclude(purpose=Slot.Purpose.MAIN).delete()[0]:
        return True  # gold and repeats are made for one annotator; they come again when they are due
    return _free(held)


def acknowledge_guidelines(*, campaign: Campaign, annotator: Annotator, version: int) -> None:
    """Note that the annotator has read this version of the guidelines; never goes back to an older one."""
    Enrolment.objects.filter(
        campaign=campaign, annotator=annotator, acknowledged_version__lt=min(version, campaign.guideline_version)
    ).update(acknowledged_version=min(version, campaign.guideline_version))


def _free(held: Any, *, withdrawn_at: datetime | None = None) -> bool:
    return bool(
        held.update(
            annotator=None,
            token=None,
            leased_until=None,
            display_order=[],
            draft=None,
            tab="",
            served_at=None,
            served_because="",
            is_block_open=False,
            withdrawn_at=withdrawn_at,
        )
    )


def _known(annotator: Annotator, idempotency_key: str, slot_id: int) -> Judgment | None:
    """The judgment that this key has made already. Raises `KeyReused` if it answers another slot."""
    known: Judgment | None = Judgment.objects.filter(annotator=annotator, idempotency_key=idempotency_key).first()
    if known is not None and known.slot_id != slot_id:
        raise KeyReused(f"It belongs to your answer to slot {known.slot_id}; make a new key for every answer.")
    return known


def _resolved(annotator: Annotator, idempotency_key: str, slot_id: int, token: str | uuid.UUID) -> Judgment:
    """The judgment that was stored meanwhile under this key. Raises `LeaseLost` if there is none, or `KeyReused`."""
    known = _known(annotator, idempotency_key, slot_id)
    if known is not None:
        return known
    _check_lease(Slot.objects.filter(pk=slot_id).first(), annotator, token)
    raise LeaseLost("Your lease on this task has changed at this moment. Your draft is kept here; send it again.")


def _insert(judgment: Judgment, slot_id: int) -> None:
    """Store a new row. Raises `KeyReused` if its key is taken."""
    try:
        with transaction.atomic():
            judgment.save(force_insert=True)
    except IntegrityError:
        _known(judgment.annotator, judgment.idempotency_key, slot_id)
        raise


def _judgment(slot: Slot, annotator: Annotator, canonical: Answer, key: str, **measured: int) -> Judgment:
    """The row of an answer, with everything that was true when it was given."""
    return Judgment(
        slot=slot,
        comparison_id=slot.comparison_id,
        annotator=annotator,
        purpose=slot.purpose,
        answer=canonical.to_json(),
        display_order=slot.display_order,
        question_version=slot.question_version,
        guideline_version=slot.campaign.guideline_version,
        idempotency_key=key,
        **{name: max(0, value) for name, value in measured.items()},
    )


def _revisable_slot(old: Judgment | None, annotator: Annotator) -> Slot:
    if old is None or not old.is_current:
        raise NotRevisable("It is not yours, or a newer answer has replaced it already.")
    latest = recent_judgments(campaign=old.slot.campaign, annotator=annotator)
    if old.pk not in {judgment.pk for judgment in latest}:
        raise NotRevisable(f"Only your last {NUM_REVISABLE} answers in a campaign can be changed.")
    slot: Slot = old.slot
    return slot


def _check_lease(slot: Slot | None, annotator: Annotator, token: str | uuid.UUID) -> None:
    if slot is None or slot.annotator_id != annotator.pk or slot.token != _as_uuid(token):
        raise LeaseLost("Your lease on this task ran out and somebody else has taken it. Your draft is kept here.")
    if slot.judged_at is not None:
        raise LeaseLost("You have already answered this task, in another tab perhaps.")


def question_of(slot: Slot) -> Question:
    """What was asked when the slot was served."""
    if slot.question_version == slot.campaign.question_version:
        return Question.from_json(slot.campaign.question)
    asked = QuestionVersion.objects.filter(campaign=slot.campaign_id, number=slot.question_version).first()
    return Question.from_json(asked.question if asked else slot.campaign.question)


def _canonical(slot: Slot, answer: dict[str, Any]) -> Answer:
    """The stored form: the same whatever order was shown."""
    question = question_of(slot)
    try:
        displayed = answers.parse_answer(
            answer,
            question=question,
            num_completions=len(slot.display_order),
            wants_rationale=rationales.is_wanted(slot, question),
            texts_lengths=lengths_shown(slot) if answer.get("spans") else None,
        )
        return answers.to_canonical(displayed, slot.display_order)
    except answers.AnswerRefused as error:
        raise AnswerRefused(f"{str(error)[:1].upper()}{str(error)[1:]}.", rule=error.rule) from error


def _as_uuid(token: str | uuid.UUID) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(token))
    except ValueError:
        return None
