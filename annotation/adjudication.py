"""Adjudication: somebody who sees the votes decides what annotators disagree about.

An adjudicator takes a comparison under a lease of its own, so that two never decide the same one; the answer is a
judgment with the purpose "adjudication", which overrides the others in consensus, reports and datasets.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import log2
from typing import Any

from django.db import transaction
from django.utils import timezone

from annotation import answers
from annotation.campaign_report import HardItem, dashboard
from annotation.consensus import newest_run
from annotation.models import Annotator, Campaign, Comparison, Consensus, Judgment, Slot
from annotation.question import Question
from annotation.text_lengths import lengths_of
from core.errors import ConcordError

PURPOSE = Slot.Purpose.ADJUDICATION
LEASE = timedelta(minutes=30)


class AdjudicationRefused(ConcordError):
    """Somebody else decides this comparison at the moment, or it has been decided."""

    status = 409
    title = "This is not yours to decide"


class DecisionRefused(ConcordError):
    """The decision gives no order that the question allows."""

    status = 422
    title = "The decision is not complete"


@dataclass(frozen=True, kw_only=True)
class Disputed:
    """A comparison that waits for an adjudicator."""

    item: HardItem
    uncertainty: float  # bits: of the posterior of the newest consensus, otherwise of the smoothed votes
    taken_by: str  # who has it now; empty if nobody


def waiting(campaign: Campaign, *, limit: int = 50, now: datetime | None = None) -> list[Disputed]:
    """Comparisons that nobody has adjudicated, those with most disagreement first, then the most uncertain."""
    now = now or timezone.now()
    items = dashboard(campaign).hardest
    slots = Slot.objects.filter(campaign=campaign, purpose=PURPOSE, withdrawn_at=None).select_related("annotator")
    decided = set(slots.filter(judged_at__isnull=False).values_list("comparison_id", flat=True))
    held = slots.filter(judged_at=None, leased_until__gte=now)
    taken = {slot.comparison_id: str(slot.annotator) for slot in held}
    entropies = _posterior_entropies(campaign, [item.comparison for item in items])
    rows = [
        Disputed(
            item=item,
            uncertainty=entropies.get(item.comparison, item.entropy),
            taken_by=taken.get(item.comparison, ""),
        )
        for item in items
        if item.comparison not in decided
    ]
    rows.sort(key=lambda row: (-round(row.item.disagreement, 3), -round(row.uncertainty, 3)))  # then as they come
    return rows[:limit]


def decided(campaign: Campaign) -> Sequence[Judgment]:
    """What adjudicators decided, the newest first."""
    rows = Judgment.objects.current().filter(comparison__campaign=campaign, purpose=PURPOSE)
    return list(rows.select_related("annotator", "comparison__prompt").order_by("-pk"))


def take(*, comparison: Comparison, annotator: Annotator, now: datetime | None = None) -> Slot:
    """Take (or go on with) a comparison under a lease. Raises `AdjudicationRefused` if somebody else has it."""
    now = now or timezone.now()
    with transaction.atomic():
        Comparison.objects.select_for_update().get(pk=comparison.pk)  # one adjudicator at a time
        for slot in comparison.slots.filter(purpose=PURPOSE, withdrawn_at=None).select_related("annotator"):
            _check_free(slot, annotator, now)
        values = {
            "campaign_id": comparison.campaign_id,
            "token": uuid.uuid4(),
            "leased_until": now + LEASE,
            "display_order": list(range(comparison.num_completions)),
            "served_at": now,
            "served_because": "adjudication",
            "question_version": comparison.campaign.question_version,
            "withdrawn_at": None,
            "judged_at": None,
        }
        slot, _ = Slot.objects.update_or_create(
            comparison=comparison, annotator=annotator, purpose=PURPOSE, defaults=values
        )
    return slot


def held_by(*, comparison: Comparison, annotator: Annotator) -> Slot:
    """The slot that the annotator has taken. Raises `AdjudicationRefused` if there is none."""
    slot: Slot | None = comparison.slots.filter(annotator=annotator, purpose=PURPOSE, withdrawn_at=None).first()
    if slot is None:
        raise AdjudicationRefused("You have not taken this comparison; take it first.")
    return slot


def decide(*, slot: Slot, annotator: Annotator, token: str, answer: dict[str, Any], idempotency_key: str) -> Judgment:
    """Store the decision; `answer` speaks of completions, not of places. Sent twice, it is stored once."""
    with transaction.atomic():
        held = (
            Slot.objects.select_for_update(of=("self",))
            .select_related("campaign", "comparison__campaign")
            .get(pk=slot.pk)
        )
        known: Judgment | None = held.judgments.filter(annotator=annotator, idempotency_key=idempotency_key).first()
        if known is not None:
            return known
        if held.annotator_id != annotator.pk or str(held.token) != token or held.judged_at is not None:
            raise AdjudicationRefused("Your lease ended and somebody else has taken it, or it has been decided.")
        judgment = Judgment.objects.create(
            slot=held,
            comparison=held.comparison,
            annotator=annotator,
            purpose=PURPOSE,
            answer=checked_answer(answer, held.comparison),
            display_order=held.display_order,
            question_version=held.question_version,
            guideline_version=held.campaign.guideline_version,
            idempotency_key=idempotency_key,
        )
        Slot.objects.filter(pk=held.pk).update(judged_at=timezone.now())
    return judgment


def release(*, slot: Slot, annotator: Annotator) -> bool:
    """Give an undecided comparison back. False if it was not held."""
    return bool(Slot.objects.filter(pk=slot.pk, annotator=annotator, purpose=PURPOSE, judged_at=None).delete()[0])


def reopen(*, comparison: Comparison) -> bool:
    """Withdraw a decision, so that the comparison waits again; the judgment stays, but counts no more."""
    with transaction.atomic():
        rows = Judgment.objects.current().filter(comparison=comparison, purpose=PURPOSE)
        num_withdrawn = rows.update(is_current=False)
        comparison.slots.filter(purpose=PURPOSE).update(withdrawn_at=timezone.now())
    return num_withdrawn > 0


def order_question(question: Question) -> Question:
    """The same question about the order: an adjudicator decides that, and may say why and mark passages."""
    kept_points = question.rating_points if question.kind == "rating" else 0
    return replace(
        question,
        rating_points=kept_points,
        aspects=(),
        asks_safety=False,
        flags=(),
        reasons=(),
        rationale="optional",
        asks_edit=False,
    )


def checked_answer(answer: dict[str, Any], comparison: Comparison) -> dict[str, Any]:
    """The canonical form of an answer about completions, of adjudicators and for gold. Raises `DecisionRefused`."""
    try:
        parsed = answers.parse_answer(
            answer,
            question=order_question(Question.from_json(comparison.campaign.question)),
            num_completions=comparison.num_completions,
            texts_lengths=lengths_of(comparison) if answer.get("spans") else None,
        )
    except answers.AnswerRefused as error:
        raise DecisionRefused(f"{str(error)[:1].upper()}{str(error)[1:]}.", rule=error.rule) from error
    return parsed.to_json()


def _check_free(slot: Slot, annotator: Annotator, now: datetime) -> None:
    if slot.judged_at is not None:
        raise AdjudicationRefused(f"{slot.annotator} has decided it; reopen it first to decide it anew.")
    if slot.annotator_id == annotator.pk:
        return
    if slot.leased_until is not None and slot.leased_until >= now:
        raise AdjudicationRefused(f"{slot.annotator} decides it at the moment, until {slot.leased_until:%H:%M} UTC.")
    slot.delete()


def _posterior_entropies(campaign: Campaign, comparisons: Sequence[int]) -> dict[int, float]:
    """Mean bits of the pairs' posteriors in the newest consensus run; nothing if there is none."""
    run = newest_run(campaign)
    if run is None:
        return {}
    rows = Consensus.objects.filter(run=run, comparison__in=comparisons).values_list("comparison_id", "posterior")
    return {pk: _entropy(posterior.get("pairs", [])) for pk, posterior in rows if posterior.get("pairs")}


def _entropy(pairs: Sequence[dict[str, float]]) -> float:
    shares = [[pair["first_better"], pair["tie"], pair["second_better"]] for pair in pairs]
    return sum(-share * log2(share) for three in shares for share in three if share > 0) / len(shares)
