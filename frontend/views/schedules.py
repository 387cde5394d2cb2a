"""Schedules of training: a list, the form with a preview, one schedule with its history, one firing explained."""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from core.errors import ConcordError, NotFound
from frontend.access import SignedInRequest, is_reader, may_engineer, signed_in
from frontend.firing_steps import failures_for, steps_of
from frontend.schedule_forms import ScheduleForm, engineered_workspaces
from pipeline.models import ScheduleFiring, TrainingSchedule
from pipeline.schedules import dry_run, firings, services, timing
from pipeline.schedules.plan import check

FIRINGS_A_PAGE = 25
RELATED = ("workspace", "current_model", "prompt_set", "judge", "time_task__crontab", "count_task")
MADE = ("dataset", "training_run", "sampling_run", "evaluation_run", "candidate", "baseline", "created_by")


@require_GET
@signed_in
def schedules(request: SignedInRequest) -> HttpResponse:
    """Every schedule that the user may read, with its newest firing and its next time."""
    if not is_reader(request.user):
        raise NotFound("There are no schedules for you to read.")
    now = timezone.now()
    found = TrainingSchedule.objects.visible_to(request.user).select_related(*RELATED)
    rows = [
        (one, next(iter(dry_run.next_times(one, now=now, count=1)), None), one.firings.order_by("-number").first())
        for one in found
    ]
    may_write = engineered_workspaces(request.user).exists()
    context = {"schedules": rows, "may_write": may_write, "failures": failures_for(request.user)}
    return render(request, "frontend/schedules/list.html", context)


@require_GET
@signed_in
def new_schedule(request: SignedInRequest) -> HttpResponse:
    """The form that makes one."""
    _require_some_workspace(request)
    return _form(request, ScheduleForm(user=request.user))


@require_POST
@signed_in
def create_schedule(request: SignedInRequest) -> HttpResponse:
    """Make a schedule. What was refused comes back with the reason."""
    _require_some_workspace(request)
    form = ScheduleForm(request.POST, user=request.user)
    if not form.is_valid():
        return _form(request, form, error="Some fields need another look.")
    try:
        access.require_engineer(request.user, form.workspace)
        made = services.create_schedule(
            workspace=form.workspace, name=form.cleaned_data["name"], plan=form.plan(), user=request.user
        )
    except ConcordError as error:
        return _form(request, form, error=error.detail)
    return redirect("schedule", made.pk)


@require_POST
@signed_in
def preview_schedule(request: SignedInRequest) -> HttpResponse:
    """When the form as it stands would fire next, and what would be refused about it."""
    _require_some_workspace(request)
    form = ScheduleForm(request.POST, user=request.user)
    form.full_clean()
    context: dict[str, Any] = {"trigger": form.cleaned_data.get("trigger", "")}
    try:
        if context["trigger"] not in ("", TrainingSchedule.Trigger.COUNT):
            cron, zone = form.cleaned_data.get("cron", ""), form.cleaned_data.get("timezone", "UTC")
            context["times"] = timing.next_times(cron, zone, after=timezone.now())
            context["in_words"], context["zone"] = timing.in_words(cron, zone), zone
        if not form.errors:
            plan = form.plan()
            check(form.workspace, plan)
            context["is_complete"] = True
    except ConcordError as error:
        context["problem"] = error.detail
    return render(request, "frontend/schedules/preview.html", context)


@require_GET
@signed_in
def schedule(request: SignedInRequest, schedule_id: int) -> HttpResponse:
    """One schedule: its settings, its next times, its history."""
    found = _schedule(request, schedule_id)
    history = found.firings.select_related("candidate", "created_by").order_by("-number")
    running = history.filter(status=ScheduleFiring.Status.RUNNING).first()
    context = {
        "schedule": found,
        "in_words": timing.in_words(found.cron, found.timezone) if found.cron else "",
        "next_times": dry_run.next_times(found, now=timezone.now()),
        "campaigns": found.campaigns.order_by("name"),
        "running": running,
        "page": Paginator(history, FIRINGS_A_PAGE).get_page(request.GET.get("page")),
        "may_write": may_engineer(request.user, found.workspace),
    }
    return render(request, "frontend/schedules/page.html", context)


@require_GET
@signed_in
def dry_run_schedule(request: SignedInRequest, schedule_id: int) -> HttpResponse:
    """What it would do now."""
    found = _schedule(request, schedule_id)
    context = {"dry": dry_run.dry_run(found, now=timezone.now()), "schedule": found}
    return render(request, "frontend/schedules/dry_run.html", context)


@require_GET
@signed_in
def edit_schedule(request: SignedInRequest, schedule_id: int) -> HttpResponse:
    """The form that changes it."""
    found = _writable(request, schedule_id)
    return _form(request, ScheduleForm(user=request.user, schedule=found), schedule=found)


@require_POST
@signed_in
def change_schedule(request: SignedInRequest, schedule_id: int) -> HttpResponse:
    """Replace its settings. What was refused comes back with the reason."""
    found = _writable(request, schedule_id)
    form = ScheduleForm(request.POST, user=request.user, schedule=found)
    if not form.is_valid():
        return _form(request, form, schedule=found, error="Some fields need another look.")
    try:
        services.change_schedule(schedule=found, name=form.cleaned_data["name"], plan=form.plan())
    except ConcordError as error:
        return _form(request, form, schedule=found, error=error.detail)
    return redirect("schedule", found.pk)


@require_POST
@signed_in
def pause_schedule(request: SignedInRequest, schedule_id: int) -> HttpResponse:
    """Fire no more by itself."""
    services.pause(schedule=_writable(request, schedule_id))
    return redirect("schedule", schedule_id)


@require_POST
@signed_in
def resume_schedule(request: SignedInRequest, schedule_id: int) -> HttpResponse:
    """Fire again."""
    services.resume(schedule=_writable(request, schedule_id))
    return redirect("schedule", schedule_id)


@require_POST
@signed_in
def run_schedule(request: SignedInRequest, schedule_id: int) -> HttpResponse:
    """Fire now, and show the firing."""
    firing = services.run_now(schedule=_writable(request, schedule_id), user=request.user)
    return redirect("firing", firing.pk)


@require_POST
@signed_in
def delete_schedule(request: SignedInRequest, schedule_id: int) -> HttpResponse:
    """Remove it with its history; what it made stays."""
    services.delete_schedule(schedule=_writable(request, schedule_id))
    return redirect("schedules")


@require_GET
@signed_in
def firing(request: SignedInRequest, firing_id: int) -> HttpResponse:
    """One firing with its steps and its decision; htmx gets the moving part alone."""
    found = _firing(request, firing_id)
    is_failed = found.status == ScheduleFiring.Status.FAILED
    context = {
        "firing": found,
        "schedule": found.schedule,
        "steps": [] if found.status == ScheduleFiring.Status.SKIPPED else steps_of(found),
        "may_cancel": not found.has_ended and may_engineer(request.user, found.schedule.workspace),
        "may_retry": is_failed and may_engineer(request.user, found.schedule.workspace),
    }
    name = "firing_state" if request.htmx else "firing"
    return render(request, f"frontend/schedules/{name}.html", context)


@require_POST
@signed_in
def cancel_firing(request: SignedInRequest, firing_id: int) -> HttpResponse:
    """Stop it and the job that it waits for."""
    found = _firing(request, firing_id)
    access.require_engineer(request.user, found.schedule.workspace)
    firings.cancel(firing=found)
    return redirect("firing", firing_id)


@require_POST
@signed_in
def retry_firing(request: SignedInRequest, firing_id: int) -> HttpResponse:
    """Go on with one that failed, from the step that failed."""
    found = _firing(request, firing_id)
    access.require_engineer(request.user, found.schedule.workspace)
    firings.retry(firing=found)
    return redirect("firing", firing_id)


def _schedule(request: SignedInRequest, schedule_id: int) -> TrainingSchedule:
    rows = TrainingSchedule.objects.visible_to(request.user).select_related(*RELATED)
    found: TrainingSchedule = get_object_or_404(rows, pk=schedule_id)
    return found


def _writable(request: SignedInRequest, schedule_id: int) -> TrainingSchedule:
    found = _schedule(request, schedule_id)
    access.require_engineer(request.user, found.workspace)
    return found


def _firing(request: SignedInRequest, firing_id: int) -> ScheduleFiring:
    rows = ScheduleFiring.objects.visible_to(request.user).select_related("schedule__workspace", *MADE)
    found: ScheduleFiring = get_object_or_404(rows, pk=firing_id)
    return found


def _require_some_workspace(request: SignedInRequest) -> None:
    if not engineered_workspaces(request.user).exists():
        raise NotFound("There is no workspace in which you may make a schedule.")


def _form(
    request: SignedInRequest, form: ScheduleForm, schedule: TrainingSchedule | None = None, error: str = ""
) -> HttpResponse:
    context = {"form": form, "schedule": schedule, "error": error}
    return render(request, "frontend/schedules/form.html", context, status=422 if error else 200)
