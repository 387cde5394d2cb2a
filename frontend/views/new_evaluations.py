"""Starting evaluations: a form for each kind."""

from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from core.errors import ConcordError, NotFound
from evaluation import services
from evaluation.models import EvaluationRun
from frontend.access import SignedInRequest, is_reader, signed_in
from frontend.evaluation_forms import CARRIED, FORMS, EvaluationForm, WinRateForm, sampling_runs
from generation.models import SamplingRun

Kind = EvaluationRun.Kind


@require_GET
@signed_in
def new_evaluation(request: SignedInRequest) -> HttpResponse:
    """The form; `?kind=preference_accuracy`, and whatever fields the address fills in."""
    _require_engineer_somewhere(request)
    said = request.GET
    kind = said.get("kind") or (Kind.PREFERENCE_ACCURACY if "dataset" in said else Kind.WIN_RATE)
    filled_in = {name: said[name] for name in CARRIED if name in said}
    form = _form(request, kind if kind in Kind.values else Kind.WIN_RATE, said, initial=filled_in)
    return _page(request, form)


@require_POST
@signed_in
def start_evaluation(request: SignedInRequest) -> HttpResponse:
    """Start the evaluation. What was refused comes back with the reason beside its field."""
    _require_engineer_somewhere(request)
    kind = request.POST.get("kind", "")
    if kind not in Kind.values:
        raise NotFound("There is no such kind of evaluation.")
    form = _form(request, kind, request.POST, data=request.POST)
    if form.is_valid():
        access.require_engineer(request.user, form.workspace)
        try:
            run = services.start_evaluation(workspace=form.workspace, user=request.user, **form.inputs)
            return redirect("evaluation", run.pk)
        except ConcordError as error:
            form.add_error(form.field_named_in(error.detail), error.detail)
    return _page(request, form, status=422)


def _form(request: SignedInRequest, kind: str, said: QueryDict, **kwargs: Any) -> EvaluationForm:
    if kind == Kind.WIN_RATE:
        return WinRateForm(user=request.user, sampling_run=_sampling_run(request, said), **kwargs)
    return FORMS[kind](user=request.user, **kwargs)


def _sampling_run(request: SignedInRequest, said: QueryDict) -> SamplingRun | None:
    """The sampling run that was chosen, whose models are offered."""
    chosen = said.get("sampling_run", "")
    if not (chosen.isascii() and chosen.isdecimal() and len(chosen) < 18):
        return None
    return sampling_runs(request.user).filter(pk=int(chosen)).first()


def _require_engineer_somewhere(request: SignedInRequest) -> None:
    if not is_reader(request.user):
        raise NotFound("There is no workspace in which you may evaluate.")


def _page(request: SignedInRequest, form: EvaluationForm, *, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "kinds": Kind.choices,
        "kind": form.kind,
        "is_refused": status != 200,
        "has_sampling_runs": form.kind != Kind.WIN_RATE or sampling_runs(request.user).exists(),
    }
    return render(request, "frontend/evaluations/new.html", context, status=status)
