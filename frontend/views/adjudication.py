"""Adjudication: managers see the votes about a disputed comparison, and decide it."""

import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from annotation import adjudication, services
from annotation.campaign_report import dashboard
from annotation.consensus import newest_run
from annotation.models import Annotator, Campaign, Comparison, Judgment, Slot
from annotation.question import Question
from frontend.access import SignedInRequest, may_manage, signed_in
from frontend.choices import pairwise_choices
from frontend.decisions import LETTERS, answer_from_form, in_words, order_in_words
from frontend.views.campaigns import managed_campaign, readable_campaign


@require_GET
@signed_in
def adjudication_queue(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """What waits for a decision, most disputed first, and what has been decided."""
    found = readable_campaign(request, campaign_id)
    waiting = adjudication.waiting(found)
    rows = Comparison.objects.select_related("prompt").in_bulk([row.item.comparison for row in waiting])
    context = {
        "campaign": found,
        "may_manage": may_manage(request.user, found.workspace),
        "waiting": [{"row": row, "comparison": rows[row.item.comparison]} for row in waiting],
        "num_hard": len(dashboard(found).hardest),
        "decided": [(judgment, in_words(judgment.answer)) for judgment in adjudication.decided(found)],
    }
    return render(request, "frontend/adjudication/list.html", context)


@require_GET
@signed_in
def disputed(request: SignedInRequest, campaign_id: int, comparison_id: int) -> HttpResponse:
    """One comparison with everything that was said about it."""
    found = readable_campaign(request, campaign_id)
    comparison = _comparison(found, comparison_id)
    return render(request, "frontend/adjudication/page.html", _context(request, found, comparison))


@require_POST
@signed_in
def take(request: SignedInRequest, campaign_id: int, comparison_id: int) -> HttpResponse:
    """Take it, so that nobody else decides it meanwhile."""
    found = managed_campaign(request, campaign_id)
    adjudication.take(comparison=_comparison(found, comparison_id), annotator=_annotator(request, found))
    return redirect("disputed", campaign_id, comparison_id)


@require_POST
@signed_in
def decide(request: SignedInRequest, campaign_id: int, comparison_id: int) -> HttpResponse:
    """Store the decision, and go on with the next disputed comparison."""
    found = managed_campaign(request, campaign_id)
    annotator = _annotator(request, found)
    slots = Slot.objects.filter(comparison=_comparison(found, comparison_id), purpose=Slot.Purpose.ADJUDICATION)
    adjudication.decide(
        slot=get_object_or_404(slots, annotator=annotator),
        annotator=annotator,
        token=request.POST.get("token", ""),
        answer=answer_from_form(request.POST.dict(), adjudication.order_question(Question.from_json(found.question))),
        idempotency_key=request.POST.get("key", "")[:64],
    )
    return redirect("adjudication", campaign_id)


@require_POST
@signed_in
def release(request: SignedInRequest, campaign_id: int, comparison_id: int) -> HttpResponse:
    """Give it back undecided."""
    found = managed_campaign(request, campaign_id)
    annotator = _annotator(request, found)
    for slot in _comparison(found, comparison_id).slots.filter(annotator=annotator, judged_at=None):
        adjudication.release(slot=slot, annotator=annotator)
    return redirect("adjudication", campaign_id)


@require_POST
@signed_in
def reopen(request: SignedInRequest, campaign_id: int, comparison_id: int) -> HttpResponse:
    """Withdraw a decision."""
    found = managed_campaign(request, campaign_id)
    adjudication.reopen(comparison=_comparison(found, comparison_id))
    return redirect("disputed", campaign_id, comparison_id)


def _annotator(request: SignedInRequest, campaign: Campaign) -> Annotator:
    return services.person_annotator(workspace=campaign.workspace, user=request.user)


def _comparison(campaign: Campaign, comparison_id: int) -> Comparison:
    rows = Comparison.objects.filter(campaign=campaign).select_related("prompt", "campaign")
    found: Comparison = get_object_or_404(rows, pk=comparison_id)
    return found


def _context(request: SignedInRequest, campaign: Campaign, comparison: Comparison) -> dict[str, Any]:
    question = adjudication.order_question(Question.from_json(campaign.question))
    slots = comparison.slots.filter(purpose=Slot.Purpose.ADJUDICATION, withdrawn_at=None, judged_at=None)
    return {
        "campaign": campaign,
        "comparison": comparison,
        "question": question,
        "choices": pairwise_choices(question) if question.kind == "pairwise" else [],
        "replies": replies_of(comparison),
        "votes": votes_on(comparison),
        "consensus": _consensus(campaign, comparison),
        "decision": Judgment.objects.current().filter(comparison=comparison, purpose="adjudication").last(),
        "slot": slots.filter(annotator__user=request.user).first(),
        "key": uuid.uuid4(),
        "may_manage": may_manage(request.user, campaign.workspace),
    }


def replies_of(comparison: Comparison) -> list[dict[str, Any]]:
    """Letter, text and model of each completion. The model is for readers of the campaign alone."""
    rows = comparison.candidates.select_related("completion__model").order_by("position")
    return [{"index": row.position, "letter": LETTERS[row.position], "text": row.completion.text} for row in rows]


def votes_on(comparison: Comparison) -> list[dict[str, Any]]:
    """Every current judgment in words, with what was written beside it."""
    rows = Judgment.objects.current().filter(comparison=comparison).select_related("annotator").order_by("pk")
    return [
        {
            "judgment": row,
            "words": in_words(row.answer),
            "rationale": row.answer.get("rationale", ""),
            "reasons": row.answer.get("reasons", []),
            "seconds": row.active_ms / 1000 if row.active_ms else None,
        }
        for row in rows
    ]


def _consensus(campaign: Campaign, comparison: Comparison) -> dict[str, Any] | None:
    run = newest_run(campaign)
    row = run.rows.filter(comparison=comparison).first() if run else None
    return {"run": run, "row": row, "words": order_in_words(row.tiers)} if row else None
