"""Scores of candidates by reward models: the button that starts a scoring run, and what it found."""

from typing import Any

from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from annotation.models import Comparison
from core import jobs
from frontend.access import SignedInRequest, may_engineer, signed_in
from frontend.job_state import refreshed_at_end
from generation import scoring_services
from generation.models import LanguageModel, SamplingRun, ScoringRun
from generation.score_report import report_of


@require_GET
@signed_in
def scoring_run(request: SignedInRequest, run_id: int) -> HttpResponse:
    """One scoring run with what it found; htmx gets the moving part alone."""
    run = _run(request, run_id)
    if request.htmx:
        moving = render(request, "frontend/jobs/state.html", {"run": run, "state_url": request.path})
        return refreshed_at_end(moving, run)
    context = {
        "run": run,
        "state_url": request.path,
        "may_cancel": not run.has_ended and may_engineer(request.user, run.workspace),
        "report": report_of(run),
        "campaigns": _chosen_comparisons(run),
    }
    return render(request, "frontend/generation/scoring_run.html", context)


@require_POST
@signed_in
def start_scoring(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Score the completions of a sampling run by the chosen reward model."""
    sampling_run: SamplingRun = get_object_or_404(SamplingRun.objects.visible_to(request.user), pk=run_id)
    access.require_engineer(request.user, sampling_run.workspace)
    chosen = request.POST.get("reward_model", "")
    models = reward_models_for(sampling_run.workspace)
    reward_model = get_object_or_404(models, pk=int(chosen) if chosen.isdecimal() and len(chosen) < 19 else 0)
    run = scoring_services.start_scoring_run(
        workspace=sampling_run.workspace,
        name=f"{sampling_run} by {reward_model}"[:120],
        sampling_run=sampling_run,
        reward_model=reward_model,
        user=request.user,
    )
    return redirect("scoring-run", run.pk)


@require_POST
@signed_in
def cancel_scoring(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Ask the run to stop."""
    run = _run(request, run_id)
    access.require_engineer(request.user, run.workspace)
    jobs.request_cancel(run)
    return redirect("scoring-run", run_id)


def reward_models_for(workspace: Any) -> Any:
    """Reward models with weights here."""
    usable = LanguageModel.objects.filter(workspace=workspace, kind=LanguageModel.Kind.REWARD)
    return usable.filter(source__in=[LanguageModel.Source.FOLDER, LanguageModel.Source.HUB]).order_by("name")


def _chosen_comparisons(run: ScoringRun) -> Any:
    """How many comparisons of which campaigns these scores chose."""
    rows = Comparison.objects.filter(scoring_run=run).order_by("campaign__name", "choice")
    counted = rows.values("campaign_id", "campaign__name", "choice").annotate(num=Count("pk"))
    labels = dict(Comparison.Choice.choices)
    return [{**row, "label": labels[row["choice"]]} for row in counted]


def _run(request: SignedInRequest, run_id: int) -> ScoringRun:
    rows = ScoringRun.objects.visible_to(request.user).select_related("workspace", "sampling_run", "reward_model")
    found: ScoringRun = get_object_or_404(rows, pk=run_id)
    return found
