"""Training again without some annotators: what was left out, what that changed, both runs side by side."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from annotation.models import Annotator
from core import jobs
from frontend.access import SignedInRequest, may_engineer, signed_in
from frontend.job_state import refreshed_at_end
from training import retraining as services
from training.models import Metric, Retraining, TrainingRun


@require_POST
@signed_in
def start(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Train the run again without the chosen annotators."""
    run: TrainingRun = get_object_or_404(TrainingRun.objects.visible_to(request.user), pk=run_id)
    access.require_engineer(request.user, run.workspace)
    chosen = [int(text) for text in request.POST.getlist("annotator") if text.isdecimal() and len(text) < 18]
    annotators = list(Annotator.objects.filter(workspace=run.workspace, pk__in=chosen))
    made = services.start_retraining(run=run, annotators=annotators, user=request.user)
    return redirect("retraining", made.pk)


@require_GET
@signed_in
def retraining(request: SignedInRequest, retraining_id: int) -> HttpResponse:
    """One retraining; htmx gets the moving part alone."""
    found = _retraining(request, retraining_id)
    if request.htmx:
        return refreshed_at_end(render(request, "frontend/retrainings/state.html", {"run": found}), found)
    context = {
        "run": found,
        "excluded": found.excluded.all(),
        "measured": _side_by_side(found.origin, found.run),
        "may_cancel": not found.has_ended and may_engineer(request.user, found.workspace),
    }
    return render(request, "frontend/retrainings/page.html", context)


@require_POST
@signed_in
def cancel(request: SignedInRequest, retraining_id: int) -> HttpResponse:
    """Stop before the run starts; a run that has started is cancelled on its own page."""
    found = _retraining(request, retraining_id)
    access.require_engineer(request.user, found.workspace)
    jobs.request_cancel(found)
    return redirect("retraining", retraining_id)


def _retraining(request: SignedInRequest, retraining_id: int) -> Retraining:
    rows = Retraining.objects.visible_to(request.user).select_related("workspace", "origin__dataset", "dataset", "run")
    found: Retraining = get_object_or_404(rows, pk=retraining_id)
    return found


def _side_by_side(origin: TrainingRun, new: TrainingRun | None) -> list[tuple[str, float | None, float | None]]:
    """(measure, before, after) on held-out rows, as each run measured last."""
    before, after = _measured(origin), _measured(new) if new else {}
    return [(name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys())]


def _measured(run: TrainingRun) -> dict[str, Any]:
    last = run.metrics.filter(kind=Metric.Kind.EVALUATION).order_by("-step").first()
    return last.values if last else {}
