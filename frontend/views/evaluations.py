"""Evaluation runs, their results, and the pairs that an LLM judge compared."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from core import jobs
from evaluation.models import EvaluationRun, JudgedPair
from frontend.access import SignedInRequest, is_reader, may_engineer, signed_in
from frontend.judged_pairs import counts_by_subject, judge_facts, other_states
from frontend.templatetags.numbers import HEADLINES

PAIRS_A_PAGE = 25


@require_GET
@signed_in
def evaluations(request: SignedInRequest) -> HttpResponse:
    """Every evaluation that the user may read, with its results."""
    rows = EvaluationRun.objects.visible_to(request.user).prefetch_related("results__model", "subjects")
    context = {"evaluations": rows, "may_start": is_reader(request.user)}
    return render(request, "frontend/evaluations/list.html", context)


@require_GET
@signed_in
def evaluation(request: SignedInRequest, run_id: int) -> HttpResponse:
    """One evaluation; htmx gets the moving part alone."""
    run = _run(request, run_id)
    counts = counts_by_subject(run)
    context = {
        "run": run,
        "results": sorted(run.results.select_related("model"), key=lambda one: (one.metric not in HEADLINES, one.pk)),
        "counts": counts,
        "other_states": other_states(counts),
        "may_cancel": not run.has_ended and may_engineer(request.user, run.workspace),
        **judge_facts(run),
    }
    name = "state" if request.htmx else "page"
    return render(request, f"frontend/evaluations/{name}.html", context)


@require_GET
@signed_in
def judged_pairs(request: SignedInRequest, run_id: int) -> HttpResponse:
    """What the judge compared and said, word for word; `?state=unparsed` and `?subject=3` choose among the pairs."""
    run = _run(request, run_id)
    rows = run.pairs.select_related("subject", "ours__prompt", "theirs").prefetch_related("calls__call")
    state, subject = request.GET.get("state", ""), request.GET.get("subject", "")
    if state in JudgedPair.State.values:
        rows = rows.filter(state=state)
    if subject.isdecimal() and len(subject) < 18:
        rows = rows.filter(subject=int(subject))
    context = {
        "run": run,
        "state": state,
        "states": JudgedPair.State.choices,
        "page": Paginator(rows.order_by("pk"), PAIRS_A_PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "frontend/evaluations/pairs.html", context)


@require_POST
@signed_in
def cancel_evaluation(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Ask the evaluation to stop."""
    run = _run(request, run_id)
    access.require_engineer(request.user, run.workspace)
    jobs.request_cancel(run)
    return redirect("evaluation", run_id)


def _run(request: SignedInRequest, run_id: int) -> EvaluationRun:
    related = ("workspace", "baseline", "sampling_run", "judge", "judge_version__model", "dataset")
    found: EvaluationRun = get_object_or_404(
        EvaluationRun.objects.visible_to(request.user).select_related(*related), pk=run_id
    )
    return found
