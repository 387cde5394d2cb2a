"""The labeler's page: take a task, answer it, take an answer back."""

import json
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from annotation import queue
from annotation.models import Annotator, Enrolment, Judgment
from annotation.queue_reasons import must_read_guidelines
from frontend import keymap, labeling, preferences, progress
from frontend.access import SignedInRequest, signed_in
from frontend.desk import OpenSlots, slots_in
from frontend.templatetags.numbers import duration
from frontend.views.labeling_replies import in_json, is_script, own_enrolment, posted_number, posted_slot


@require_GET
@signed_in
def label(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """The whole page, with the first task in it. Which tab asks is not known yet: the page's script says so."""
    enrolment = own_enrolment(request, campaign_id)
    held = OpenSlots.of(enrolment)
    state = {"state": "fetching"} if held.is_in_tab() else _next(enrolment)
    return render(request, "frontend/labeling/page.html", {**page_context(enrolment), **state})


@require_GET
@signed_in
def next_task(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """The next task alone, for a tab that holds others already."""
    enrolment = own_enrolment(request, campaign_id)
    tab, holding = request.GET.get("tab", "")[:40], slots_in(request.GET.get("holding", ""))
    held = OpenSlots.of(enrolment)
    if held.is_in_tab(other_than=tab):
        return render(request, "frontend/labeling/task.html", {"campaign": enrolment.campaign, "state": "elsewhere"})
    held.name_tab(tab, holding)
    return render(request, "frontend/labeling/task.html", _next(enrolment, tab=tab, holding=holding))


@require_POST
@signed_in
@in_json
def submit(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Store an answer. A script gets a receipt, a browser without one the page with the next task."""
    enrolment = own_enrolment(request, campaign_id)
    answer = _answer(request)
    try:
        judgment = queue.submit_judgment(
            slot_id=posted_slot(request),
            annotator=enrolment.annotator,
            token=request.POST.get("token", ""),
            answer=answer,
            **_key_and_times(request),
        )
    except queue.LeaseLost as error:
        error.fields["draft"] = labeling.answer_text(answer)
        if is_script(request):
            raise
        context = {"problem": error, "campaign": enrolment.campaign}
        return render(request, "frontend/labeling/lease_lost.html", context, status=error.status)
    return _receipt(judgment, enrolment) if is_script(request) else redirect("label", campaign_id)


@require_GET
@signed_in
def again(request: SignedInRequest, campaign_id: int, judgment_id: int) -> HttpResponse:
    """An own earlier answer in its task, to be given anew."""
    enrolment = own_enrolment(request, campaign_id)
    own = Judgment.objects.filter(annotator=enrolment.annotator, slot__campaign=campaign_id)
    chosen = get_object_or_404(own, pk=judgment_id)
    current = own.current().select_related("slot__campaign").get(slot=chosen.slot_id)
    context = {"campaign": enrolment.campaign, "task": labeling.build_revision(current)}
    if is_script(request):
        return render(request, "frontend/labeling/task.html", context)
    return render(request, "frontend/labeling/page.html", {**page_context(enrolment), **context})


@require_POST
@signed_in
@in_json
def revise(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Replace one of the last ten answers, named by its id or by the key under which it was sent."""
    enrolment = own_enrolment(request, campaign_id)
    judgment = queue.revise_judgment(
        judgment_id=_revised(request, enrolment.annotator),
        annotator=enrolment.annotator,
        answer=_answer(request),
        **_key_and_times(request),
    )
    return _receipt(judgment, enrolment) if is_script(request) else redirect("label", campaign_id)


def page_context(enrolment: Enrolment) -> dict[str, Any]:
    """What surrounds the task."""
    campaign, annotator = enrolment.campaign, enrolment.annotator
    keys = preferences.action_keys(annotator)
    recent = queue.recent_judgments(campaign=campaign, annotator=annotator)
    return {
        "campaign": campaign,
        "enrolment": enrolment,
        "day": progress.day_of(annotator),
        "streak": progress.streak_of(annotator),
        "action_keys": keys,
        "actions_json": json.dumps([line.to_json() for line in keys]),
        "preferences": preferences.of_page(annotator),
        "preferences_json": json.dumps(preferences.of_page(annotator)),
        "recent_json": json.dumps([judgment.pk for judgment in recent]),
        "grace_ms": keymap.GRACE_MS,
    }


def _next(enrolment: Enrolment, *, tab: str = "", holding: tuple[int, ...] = ()) -> dict[str, Any]:
    """A task, or the reason for none, as task.html shows it."""
    campaign, annotator = enrolment.campaign, enrolment.annotator
    now = timezone.now()
    if enrolment.is_active and must_read_guidelines(campaign, enrolment):
        return {"campaign": campaign, "enrolment": enrolment, "state": "guidelines"}
    slot = queue.claim_next_slot(campaign=campaign, annotator=annotator, tab=tab, holding=holding, now=now)
    if slot is not None:
        return {"campaign": campaign, "task": labeling.build_task(slot, campaign, now=now)}
    reason = queue.why_nothing(campaign=campaign, annotator=annotator, now=now)
    return {"campaign": campaign, "enrolment": enrolment, "state": "nothing", "reason": reason}


def _receipt(judgment: Judgment, enrolment: Enrolment) -> JsonResponse:
    """What the page needs to know of a stored answer: how to take it back, and the day so far."""
    day = progress.day_of(enrolment.annotator)
    return JsonResponse(
        {
            "judgment": judgment.pk,
            "day": {"num_done": day.num_done, "median": f" · median {duration(day.median_seconds)}"},
            "guideline_version": enrolment.campaign.guideline_version,
        }
    )


def _revised(request: SignedInRequest, annotator: Annotator) -> int:
    """The newest revision of the answer that the request means; 0 if there is none."""
    own = Judgment.objects.filter(annotator=annotator)
    by_id = own.filter(pk=posted_number(request, "judgment")).first()
    by_key = own.filter(idempotency_key=request.POST.get("revises") or None).first()
    meant = by_id or by_key
    current = own.current().filter(slot=meant.slot_id).first() if meant else None
    return current.pk if current else 0


def _key_and_times(request: SignedInRequest) -> dict[str, Any]:
    return {
        "idempotency_key": request.POST.get("key", "")[:64],
        "active_ms": posted_number(request, "active_ms"),
        "total_ms": posted_number(request, "total_ms"),
    }


def _answer(request: SignedInRequest) -> dict[str, Any]:
    """The posted answer; the service says what is wrong with an empty one."""
    try:
        answer = json.loads(request.POST.get("answer", ""))
    except json.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}
