"""Evaluation runs and their results."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from core import jobs
from evaluation.models import EvaluationRun
from frontend.access import SignedInRequest, may_engineer, signed_in


@require_GET
@signed_in
def evaluations(request: SignedInRequest) -> HttpResponse:
    """Every evaluation that the user may read, with its results."""
    rows = EvaluationRun.objects.visible_to(request.user).prefetch_related("results__model", "subjects")
    return render(request, "frontend/evaluations/list.html", {"evaluations": rows})


@require_GET
@signed_in
def evaluation(request: SignedInRequest, run_id: int) -> HttpResponse:
    """One evaluation; htmx gets the moving part alone."""
    run = _run(request, run_id)
    context = {
        "run": run,
        "results": run.results.select_related("model"),
        "may_cancel": not run.has_ended and may_engineer(request.user, run.workspace),
    }
    name = "state" if request.htmx else "page"
    return render(request, f"frontend/evaluations/{name}.html", context)


@require_POST
@signed_in
def cancel_evaluation(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Ask the evaluation to stop."""
    run = _run(request, run_id)
    access.require_engineer(request.user, run.workspace)
    jobs.request_cancel(run)
    return redirect("evaluation", run_id)


def _run(request: SignedInRequest, run_id: int) -> EvaluationRun:
    related = ("workspace", "baseline", "sampling_run", "judge", "dataset")
    found: EvaluationRun = get_object_or_404(
        EvaluationRun.objects.visible_to(request.user).select_related(*related), pk=run_id
    )
    return found
