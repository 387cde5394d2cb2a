"""Pipeline runs: the whole way from prompts to evaluated policies, step by step."""

from typing import Any

from django.apps import apps
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from frontend.access import SignedInRequest, may_engineer, signed_in
from pipeline import services
from pipeline.models import PipelineRun, PipelineStep

PAGES = {  # the page of a row that a step made, by model label
    "generation.promptset": "prompt-set",
    "generation.languagemodel": "language-model",
    "generation.samplingrun": "sampling-run",
    "annotation.campaign": "campaign",
    "annotation.dataset": "dataset",
    "annotation.judgingrun": "judging-run",
    "training.trainingrun": "training-run",
    "evaluation.evaluationrun": "evaluation",
}
OUTPUTS = {
    "prompt_set": "generation.promptset",
    "pair_campaign": "annotation.campaign",
    "pairwise": "annotation.campaign",
    "ranking": "annotation.campaign",
}


@require_GET
@signed_in
def pipelines(request: SignedInRequest) -> HttpResponse:
    """Every pipeline run that the user may read."""
    rows = PipelineRun.objects.visible_to(request.user).prefetch_related("steps")
    return render(request, "frontend/pipelines/list.html", {"pipelines": rows})


@require_GET
@signed_in
def pipeline(request: SignedInRequest, run_id: int) -> HttpResponse:
    """One pipeline run; htmx gets the moving part alone."""
    run = _run(request, run_id)
    may_cancel = run.status == PipelineRun.Status.RUNNING and may_engineer(request.user, run.workspace)
    context = {"run": run, "may_cancel": may_cancel, "steps": [(step, _made(step)) for step in run.steps.all()]}
    name = "state" if request.htmx else "page"
    return render(request, f"frontend/pipelines/{name}.html", context)


@require_POST
@signed_in
def cancel_pipeline(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Stop the pipeline and the jobs of its current step."""
    run = _run(request, run_id)
    access.require_engineer(request.user, run.workspace)
    services.cancel_pipeline(pipeline_run=run)
    return redirect("pipeline", run_id)


def _run(request: SignedInRequest, run_id: int) -> PipelineRun:
    found: PipelineRun = get_object_or_404(
        PipelineRun.objects.visible_to(request.user).select_related("workspace"), pk=run_id
    )
    return found


def _made(step: PipelineStep) -> list[dict[str, Any]]:
    """The rows that a step made, each with its page and, if it is a job, its state."""
    outputs = [(_label(name), pk) for name, pk in step.outputs.items()]
    made = []
    for label, pk in [*step.jobs, *outputs]:
        row = apps.get_model(label)._default_manager.filter(pk=pk).first() if label in PAGES else None
        if row is not None:
            made.append({"row": row, "noun": row._meta.verbose_name, "url": reverse(PAGES[label], args=[pk])})
    return made


def _label(output: str) -> str:
    """The model of an output that is no job of its own; jobs are listed already."""
    return "generation.languagemodel" if output.endswith("_model") else OUTPUTS.get(output, "")
