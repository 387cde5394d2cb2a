"""Scores of candidates by reward models: the button that starts a scoring run, and what it found."""

from typing import Any

from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from annotation.models import Annotator, Comparison
from core import jobs
from evaluation import services as evaluations
from evaluation.models import EvaluationRun
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
        **_best_of_n(request, run),
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
    reward_model = get_object_or_404(models, pk=_number(chosen))
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
def start_best_of_n(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Measure the other models of the sampling run against the best replies of one of them, by these scores."""
    run = _run(request, run_id)
    access.require_engineer(request.user, run.workspace)
    baseline = get_object_or_404(_models_of(run), pk=_number(request.POST.get("baseline", "")))
    judges = Annotator.objects.filter(workspace=run.workspace, kind=Annotator.Kind.JUDGE)
    evaluation = evaluations.start_evaluation(
        workspace=run.workspace,
        name=f"Against the best of N of {baseline}"[:120],
        kind=EvaluationRun.Kind.WIN_RATE,
        subjects=list(_models_of(run).exclude(pk=baseline.pk)),
        baseline=baseline,
        sampling_run=run.sampling_run,
        scoring_run=run,
        judge=get_object_or_404(judges, pk=_number(request.POST.get("judge", ""))),
        user=request.user,
    )
    return redirect("evaluation", evaluation.pk)


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


def _best_of_n(request: SignedInRequest, run: ScoringRun) -> dict[str, Any]:
    """Evaluations against the best of N by these scores, and what one could be started with."""
    may_start = run.status == ScoringRun.Status.FINISHED and may_engineer(request.user, run.workspace)
    arms = run.sampling_run.arms.select_related("model")
    return {
        "evaluations": run.evaluation_runs.prefetch_related("results__model", "subjects"),
        "references": [arm for arm in arms if arm.num_completions > 1] if may_start and len(arms) > 1 else [],
        "judges": Annotator.objects.filter(workspace=run.workspace, kind=Annotator.Kind.JUDGE).order_by("name"),
    }


def _models_of(run: ScoringRun) -> Any:
    return LanguageModel.objects.filter(arms__run=run.sampling_run).distinct()


def _number(text: str) -> int:
    """An id from a form; 0 for what is none."""
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _run(request: SignedInRequest, run_id: int) -> ScoringRun:
    rows = ScoringRun.objects.visible_to(request.user).select_related("workspace", "sampling_run", "reward_model")
    found: ScoringRun = get_object_or_404(rows, pk=run_id)
    return found
