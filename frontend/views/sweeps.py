"""Sweeps: a list, the form with a preview, one sweep with its table and its plot."""

from collections import Counter
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from core.errors import ConcordError, NotFound
from frontend.access import SignedInRequest, engineered_workspaces, is_reader, may_engineer, signed_in
from frontend.sweep_forms import INPUTS, SweepForm
from frontend.sweep_plot import plot_of
from pipeline.models import TrainingSweep
from pipeline.sweeps import results, services
from training.models import TrainingRun

RELATED = ("workspace", "created_by", "dataset", "prompt_set", "init_model", "reward_model")


@require_GET
@signed_in
def sweeps(request: SignedInRequest) -> HttpResponse:
    """Every sweep that the user may read, newest first, with the states of its runs."""
    if not is_reader(request.user):
        raise NotFound("There are no sweeps for you to read.")
    found = TrainingSweep.objects.visible_to(request.user).prefetch_related("swept_runs__run")
    rows = [(one, _states([swept.run for swept in one.swept_runs.all()])) for one in found]
    may_write = engineered_workspaces(request.user).exists()
    return render(request, "frontend/sweeps/list.html", {"sweeps": rows, "may_write": may_write})


@require_GET
@signed_in
def new_sweep(request: SignedInRequest) -> HttpResponse:
    """The form that starts one; `?run=` begins with the inputs and settings of a training run."""
    _require_some_workspace(request)
    said = request.GET.get("run", "")
    run = None
    if said.isascii() and said.isdecimal() and len(said) < 18:
        run = get_object_or_404(TrainingRun.objects.visible_to(request.user), pk=int(said))
    return _form(request, SweepForm(user=request.user, run=run))


@require_POST
@signed_in
def create_sweep(request: SignedInRequest) -> HttpResponse:
    """Queue its runs. What was refused comes back with the reason."""
    _require_some_workspace(request)
    form = SweepForm(request.POST, user=request.user)
    if not form.is_valid() or form.workspace is None:
        return _form(request, form, error="Some fields need another look.")
    try:
        access.require_engineer(request.user, form.workspace)
        made = services.start_sweep(workspace=form.workspace, user=request.user, **form.cleaned_data)
    except ConcordError as error:
        return _form(request, form, error=error.detail)
    return redirect("sweep", made.pk)


@require_POST
@signed_in
def preview_sweep(request: SignedInRequest) -> HttpResponse:
    """How many runs the form as it stands makes, and what would be refused about it."""
    _require_some_workspace(request)
    form = SweepForm(request.POST, user=request.user)
    form.full_clean()
    context: dict[str, Any] = {"known": form.known_settings}
    said = {name: value for name, value in form.cleaned_data.items() if name not in (*INPUTS, "name")}
    try:
        if not {"algorithm", "grid", "config", "seed", "num_seeds"} - set(said):
            context["points"] = services.checked_points(**said)
    except ConcordError as error:
        context["problem"] = error.detail
    return render(request, "frontend/sweeps/preview.html", context)


@require_GET
@signed_in
def sweep(request: SignedInRequest, sweep_id: int) -> HttpResponse:
    """One sweep; `?metric=` chooses the figure, `?along=` the setting of the plot. htmx gets the moving part alone."""
    found = _sweep(request, sweep_id)
    outcomes = results.outcomes_of(found)
    names = results.metric_names(outcomes)
    metric = request.GET.get("metric", "")
    if metric not in names:
        metric = names[0] if names else ""
    along = request.GET.get("along", "")
    if along not in found.grid:
        along = max(found.grid, key=lambda name: len(found.grid[name]))
    points = results.points_by(outcomes, metric)
    context = {
        "sweep": found,
        "points": points,
        "metric": metric,
        "metrics": names,
        "along": along,
        "is_lower_better": results.is_lower_better(metric),
        "plot": plot_of(points, along=along, metric=metric) if metric else None,
        "states": _states([outcome.swept.run for outcome in outcomes]),
        "num_runs": len(outcomes),
        "has_ended": found.has_ended,
        "may_cancel": not found.has_ended and may_engineer(request.user, found.workspace),
    }
    name = "state" if request.htmx else "page"
    return render(request, f"frontend/sweeps/{name}.html", context)


@require_POST
@signed_in
def cancel_sweep(request: SignedInRequest, sweep_id: int) -> HttpResponse:
    """Ask all of its runs to stop."""
    found = _sweep(request, sweep_id)
    access.require_engineer(request.user, found.workspace)
    services.cancel_sweep(sweep=found)
    return redirect("sweep", sweep_id)


def _sweep(request: SignedInRequest, sweep_id: int) -> TrainingSweep:
    rows = TrainingSweep.objects.visible_to(request.user).select_related(*RELATED)
    found: TrainingSweep = get_object_or_404(rows, pk=sweep_id)
    return found


def _states(runs: list[TrainingRun]) -> list[tuple[str, str, int]]:
    """(status, its name, how many), in the order in which runs pass through them."""
    counts = Counter(run.status for run in runs)
    return [(value, str(label), counts[value]) for value, label in TrainingRun.Status.choices if counts[value]]


def _require_some_workspace(request: SignedInRequest) -> None:
    if not engineered_workspaces(request.user).exists():
        raise NotFound("There is no workspace in which you may start a sweep.")


def _form(request: SignedInRequest, form: SweepForm, error: str = "") -> HttpResponse:
    context = {"form": form, "error": error}
    return render(request, "frontend/sweeps/form.html", context, status=422 if error else 200)
