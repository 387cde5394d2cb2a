"""The first page: a reader's overview of the workspace, a labeler's list of campaigns."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.models import User
from annotation.models import Campaign, Dataset
from evaluation.models import EvaluationRun
from frontend import labeling
from frontend.access import SignedInRequest, is_reader, signed_in
from frontend.firing_steps import failures_for
from generation.models import PromptSet, SamplingRun
from pipeline.models import PipelineRun
from training.models import TrainingRun

NUM_LATEST = 6  # rows of each kind on the overview


@require_GET
@signed_in
def home(request: SignedInRequest) -> HttpResponse:
    """Whatever the user came for."""
    to_label = labeling.campaigns_of(request.user, now=timezone.now())
    if is_reader(request.user):
        return render(request, "frontend/home/overview.html", {"to_label": to_label, **_latest(request.user)})
    return render(request, "frontend/home/labeler.html", {"to_label": to_label})


def _latest(user: User) -> dict[str, Any]:
    rows = {
        "failures": failures_for(user),
        "pipelines": PipelineRun.objects.visible_to(user).prefetch_related("steps"),
        "campaigns": Campaign.objects.visible_to(user).with_progress(),
        "datasets": Dataset.objects.visible_to(user),
        "training_runs": TrainingRun.objects.visible_to(user),
        "evaluations": EvaluationRun.objects.visible_to(user).prefetch_related("results__model", "subjects"),
        "prompt_sets": PromptSet.objects.visible_to(user),
        "sampling_runs": SamplingRun.objects.visible_to(user).with_num_failed().select_related("prompt_set"),
    }
    return {name: queryset[:NUM_LATEST] for name, queryset in rows.items()}
