"""The labeler's page: take a task, answer it, get the next one in its place."""

import json
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from annotation import queue
from annotation.models import Enrolment, Slot
from frontend import labeling
from frontend.access import SignedInRequest, signed_in


@require_GET
@signed_in
def label(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """The whole page, with the first task in it."""
    enrolment = _enrolment(request, campaign_id)
    return render(request, "frontend/labeling/page.html", _next_task(enrolment))


@require_GET
@signed_in
def next_task(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """The next task alone."""
    enrolment = _enrolment(request, campaign_id)
    return render(request, "frontend/labeling/swap.html", _next_task(enrolment))


@require_POST
@signed_in
def submit(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Store an answer; reply with the next task. A lost lease is said, and the draft stays on the page."""
    enrolment = _enrolment(request, campaign_id)
    answer = _answer(request)
    try:
        queue.submit_judgment(
            slot_id=_number(request, "slot"),
            annotator=enrolment.annotator,
            token=request.POST.get("token", ""),
            answer=answer,
            idempotency_key=request.POST.get("key", "")[:64],
            active_ms=_number(request, "active_ms"),
            total_ms=_number(request, "total_ms"),
        )
    except queue.LeaseLost as error:
        context = {"problem": error, "campaign": enrolment.campaign, "draft": labeling.answer_text(answer)}
        return render(request, "frontend/labeling/lease_lost.html", context, status=error.status)
    if not request.htmx:
        return redirect("label", campaign_id)
    return render(request, "frontend/labeling/swap.html", {**_next_task(enrolment), "is_saved": True})


@require_POST
@signed_in
def release(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Give the task back when the page is left, unless another page has renewed the lease since (a reload)."""
    enrolment = _enrolment(request, campaign_id)
    slot = Slot.objects.filter(pk=_number(request, "slot"), annotator=enrolment.annotator).first()
    if slot is not None and slot.leased_until and slot.leased_until.isoformat() == request.POST.get("leased_until"):
        queue.release_slot(slot_id=slot.pk, annotator=enrolment.annotator, token=request.POST.get("token", ""))
    return HttpResponse(status=204)


def _enrolment(request: SignedInRequest, campaign_id: int) -> Enrolment:
    """The user's own place in the campaign; 404 for everybody else, managers included."""
    own = Enrolment.objects.filter(annotator__user=request.user).select_related("campaign", "annotator")
    return get_object_or_404(own, campaign=campaign_id)


def _next_task(enrolment: Enrolment) -> dict[str, Any]:
    campaign, annotator = enrolment.campaign, enrolment.annotator
    now = timezone.now()
    slot = queue.claim_next_slot(campaign=campaign, annotator=annotator, now=now)
    context: dict[str, Any] = {"campaign": campaign, "day": labeling.day_of(annotator)}
    if slot is None:
        return {**context, "task": None, "reason": queue.why_nothing(campaign=campaign, annotator=annotator, now=now)}
    return {**context, "task": labeling.build_task(slot, campaign, now=now)}


def _answer(request: SignedInRequest) -> dict[str, Any]:
    """The posted answer; the service says what is wrong with an empty one."""
    try:
        answer = json.loads(request.POST.get("answer", ""))
    except json.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _number(request: SignedInRequest, name: str) -> int:
    text = request.POST.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 10 else 0
