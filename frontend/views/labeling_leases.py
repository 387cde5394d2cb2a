"""What a labeler's page says about the tasks that it holds: drafts, renewals, skips, tabs, good-byes."""

import json
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from annotation import queue, slot_numbers
from annotation.models import Enrolment, Slot
from frontend.access import SignedInRequest, signed_in
from frontend.desk import OpenSlots
from frontend.views.labeling_replies import in_json, is_script, own_enrolment, posted_number, posted_slot

MOST_HELD = 20  # leases that one good-bye may name


@require_GET
@signed_in
def session(request: SignedInRequest) -> HttpResponse:
    """Who is signed in, and the token that forms of theirs need now."""
    return JsonResponse({"user": request.user.pk, "csrf": get_token(request)})


@require_POST
@signed_in
@in_json
def save_draft(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Keep an unfinished answer."""
    enrolment = own_enrolment(request, campaign_id)
    text = request.POST.get("draft", "")
    if len(text) > queue.MAX_DRAFT_CHARACTERS:
        return HttpResponse(status=413)
    queue.save_draft(**_lease(request, enrolment), draft=_object(text))
    return HttpResponse(status=204)


@require_POST
@signed_in
@in_json
def renew(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Hold a task longer; 409 if somebody else has it."""
    enrolment = own_enrolment(request, campaign_id)
    now = timezone.now()
    until = queue.renew_lease(**_lease(request, enrolment), now=now)
    return JsonResponse({"leased_until": until.isoformat(), "seconds_left": round((until - now).total_seconds())})


@require_POST
@signed_in
@in_json
def skip(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Give a task away for good, with a reason. Saying so twice is harmless."""
    enrolment = own_enrolment(request, campaign_id)
    queue.skip_slot(**_lease(request, enrolment), reason=request.POST.get("reason", ""))
    return HttpResponse(status=204) if is_script(request) else redirect("label", campaign_id)


@require_POST
@signed_in
@in_json
def take_over(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Go on in this tab with what another one holds."""
    enrolment = own_enrolment(request, campaign_id)
    OpenSlots.of(enrolment).move_to(request.POST.get("tab", "")[:40])
    return HttpResponse(status=204) if is_script(request) else redirect("label", campaign_id)


@require_POST
@signed_in
def release(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Give tasks back when the page is left, unless another page has renewed their leases since (a reload)."""
    enrolment = own_enrolment(request, campaign_id)
    for slot_id, token, leased_until in _held(request.POST.get("held", "")):
        slot = Slot.objects.filter(pk=slot_id, annotator=enrolment.annotator).first()
        if slot is not None and slot.leased_until and slot.leased_until.isoformat() == leased_until:
            queue.release_slot(slot_id=slot.pk, annotator=enrolment.annotator, token=token)
    return HttpResponse(status=204)


@require_POST
@signed_in
@in_json
def acknowledge(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """The guidelines of this version have been read."""
    enrolment = own_enrolment(request, campaign_id)
    queue.acknowledge_guidelines(
        campaign=enrolment.campaign, annotator=enrolment.annotator, version=posted_number(request, "version")
    )
    return HttpResponse(status=204) if is_script(request) else redirect("label", campaign_id)


def _lease(request: SignedInRequest, enrolment: Enrolment) -> dict[str, Any]:
    return {
        "slot_id": posted_slot(request),
        "annotator": enrolment.annotator,
        "token": request.POST.get("token", ""),
    }


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _held(text: str) -> list[tuple[int, str, str]]:
    """[[slot, token, leased_until], …] as the page sent it; what is malformed is passed over."""
    try:
        rows = json.loads(text)
    except json.JSONDecodeError:
        return []
    rows = rows[:MOST_HELD] if isinstance(rows, list) else []
    whole = [row for row in rows if isinstance(row, list) and len(row) == 3 and all(isinstance(x, str) for x in row)]
    return [(slot_numbers.pk_in(slot), token, until) for slot, token, until in whole]
