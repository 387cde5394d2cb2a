"""vLLM servers of models: start, look, stop."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from core import jobs
from frontend.access import SignedInRequest, may_engineer, signed_in
from generation import serving_services
from generation.models import LanguageModel, ServingRun


@require_POST
@signed_in
def serve(request: SignedInRequest, model_id: int) -> HttpResponse:
    """Start a server for the model."""
    model: LanguageModel = get_object_or_404(LanguageModel.objects.visible_to(request.user), pk=model_id)
    access.require_engineer(request.user, model.workspace)
    run = serving_services.start_serving(model=model, user=request.user)
    return redirect("serving-run", run.pk)


@require_GET
@signed_in
def serving_run(request: SignedInRequest, run_id: int) -> HttpResponse:
    """One server; htmx gets the moving part alone."""
    run = _run(request, run_id)
    context = {"run": run, "may_stop": not run.has_ended and may_engineer(request.user, run.workspace)}
    return render(request, f"frontend/serving/{'state' if request.htmx else 'page'}.html", context)


@require_POST
@signed_in
def stop_serving(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Stop the server."""
    run = _run(request, run_id)
    access.require_engineer(request.user, run.workspace)
    jobs.request_cancel(run)
    return redirect("serving-run", run_id)


def _run(request: SignedInRequest, run_id: int) -> ServingRun:
    rows = ServingRun.objects.visible_to(request.user).select_related("workspace", "model", "served")
    found: ServingRun = get_object_or_404(rows, pk=run_id)
    return found
