"""Starting a training run: a form for each algorithm."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from core.errors import ConcordError, NotFound
from frontend.access import SignedInRequest, is_reader, signed_in
from frontend.training_forms import RUN_FIELDS, TrainingForm, algorithm_for, preset_named
from frontend.training_preview import preview_of
from training import services
from training.algorithms.settings import presets_of
from training.models import TrainingRun

Algorithm = TrainingRun.Algorithm


@require_GET
@signed_in
def new_training(request: SignedInRequest) -> HttpResponse:
    """The form; `?algorithm=dpo`, `?preset=dialogues_dpo`, and whatever fields the address fills in."""
    _require_engineer_somewhere(request)
    said = request.GET
    algorithm = said.get("algorithm", "")
    if algorithm not in Algorithm.values:
        algorithm = algorithm_for(request.user, said.get("dataset", ""))
    preset = preset_named(algorithm, said.get("preset", ""))
    filled_in = {name: said[name] for name in RUN_FIELDS if name in said}
    form = TrainingForm(user=request.user, algorithm=algorithm, preset=preset, initial=filled_in)
    return _page(request, form, preset=preset.name if preset else "")


@require_POST
@signed_in
def start_training(request: SignedInRequest) -> HttpResponse:
    """Start the run. What was refused comes back with the reason beside its field."""
    _require_engineer_somewhere(request)
    form = form_sent(request)
    if form.is_valid() and form.workspace is not None:
        access.require_engineer(request.user, form.workspace)
        try:
            run = services.start_training_run(
                workspace=form.workspace,
                algorithm=form.algorithm,
                config=form.config,
                user=request.user,
                **form.inputs,
            )
            return redirect("training-run", run.pk)
        except ConcordError as error:
            form.add_error(form.setting_named_in(error.detail), error.detail)
    return _page(request, form, status=422)


@require_POST
@signed_in
def preview_training(request: SignedInRequest) -> HttpResponse:
    """What the form as it stands comes to: the report on its data, and what the run would need."""
    _require_engineer_somewhere(request)
    form = form_sent(request)
    form.full_clean()
    return render(request, "frontend/training/preview.html", preview_of(form, request.user))


def form_sent(request: SignedInRequest) -> TrainingForm:
    """The form as it was filled in. Raises `NotFound` for an algorithm that there is not."""
    algorithm = request.POST.get("algorithm", "")
    if algorithm not in Algorithm.values:
        raise NotFound("There is no such algorithm.")
    return TrainingForm(request.POST, user=request.user, algorithm=algorithm)


def _require_engineer_somewhere(request: SignedInRequest) -> None:
    if not is_reader(request.user):
        raise NotFound("There is no workspace in which you may train.")


def _page(request: SignedInRequest, form: TrainingForm, *, status: int = 200, preset: str = "") -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "algorithms": Algorithm.choices,
        "algorithm": form.algorithm,
        "presets": presets_of(form.algorithm),
        "preset": preset,
        "is_refused": status != 200,
    }
    return render(request, "frontend/training/new.html", context, status=status)
