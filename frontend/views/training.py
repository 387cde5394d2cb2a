"""Training runs: live curves, log, lineage."""

from typing import Any

from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from core import jobs, pauses
from frontend.access import SignedInRequest, is_reader, may_engineer, signed_in
from frontend.content_policy import allows_plot_styles
from frontend.run_facts import alerts_in, made_with, peak_memory
from frontend.samples_over_time import samples_over_time
from frontend.series import curves_since
from frontend.training_preview import report_context
from training.models import TrainingRun

Status = TrainingRun.Status


@require_GET
@signed_in
def training_runs(request: SignedInRequest) -> HttpResponse:
    """Every training run that the user may read."""
    rows = TrainingRun.objects.visible_to(request.user)
    context = {"training_runs": rows, "may_start": is_reader(request.user)}
    return render(request, "frontend/training/list.html", context)


@require_GET
@signed_in
@allows_plot_styles
def training_run(request: SignedInRequest, run_id: int) -> HttpResponse:
    """One training run."""
    context = _state(request, run_id)
    run = context["run"]
    context |= report_context(run.data_report) | {"peak_memory": peak_memory(run), "made_with": made_with(run)}
    return render(request, "frontend/training/page.html", context)


@require_GET
@signed_in
def training_state(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Status, progress, checkpoints, samples and log: what moves besides the curves."""
    return render(request, "frontend/training/swap.html", _state(request, run_id))


@require_GET
@signed_in
def training_metrics(request: SignedInRequest, run_id: int) -> JsonResponse:
    """The curves' points recorded since `since` (an ISO time that an earlier reply gave as `latest`)."""
    try:
        since = parse_datetime(request.GET.get("since", ""))
    except ValueError:
        since = None
    return JsonResponse(curves_since(_run(request, run_id), since))


@require_POST
@signed_in
def cancel_training(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Ask the run to stop after its step."""
    run = _run(request, run_id)
    access.require_engineer(request.user, run.workspace)
    jobs.request_cancel(run)
    return redirect("training-run", run_id)


@require_POST
@signed_in
def pause_training(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Ask the run to save and to free its device."""
    run = _run(request, run_id)
    access.require_engineer(request.user, run.workspace)
    pauses.request_pause(run)
    return redirect("training-run", run_id)


@require_POST
@signed_in
def resume_training(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Let the run go on from its newest checkpoint."""
    run = _run(request, run_id)
    access.require_engineer(request.user, run.workspace)
    pauses.resume(run)
    return redirect("training-run", run_id)


def _run(request: SignedInRequest, run_id: int) -> TrainingRun:
    related = (
        "workspace",
        "dataset",
        "prompt_set",
        "init_model",
        "reward_model",
        "held_out_reward_model",
        "data_report",
    )
    found: TrainingRun = get_object_or_404(
        TrainingRun.objects.visible_to(request.user).select_related(*related), pk=run_id
    )
    return found


def _is_stopping(run: TrainingRun) -> bool:
    return run.is_cancel_requested or run.is_pause_requested


def _state(request: SignedInRequest, run_id: int) -> dict[str, Any]:
    run = _run(request, run_id)
    may_move = may_engineer(request.user, run.workspace)
    return {
        "run": run,
        "may_cancel": may_move and not run.has_ended,
        "may_pause": may_move and run.status in {Status.QUEUED, Status.RUNNING} and not _is_stopping(run),
        "may_resume": may_move and run.status in pauses.RESUMABLE,
        "checkpoints": run.checkpoints.select_related("language_model").order_by("-step"),
        "samples": samples_over_time(run),
        "alerts": alerts_in(run.log_tail),
    }
