"""A checkpoint: its weights, what they rest on, and what can be done with them."""

from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from annotation import dataset_trace
from annotation.models import Dataset
from frontend.access import SignedInRequest, may_engineer, signed_in
from frontend.lineage_picture import picture_of
from frontend.round_panel import round_context
from frontend.serving_panel import serving_context
from training import model_export, services
from training.archive_response import archive_response
from training.lineage import Lineage, lineage_of
from training.models import Checkpoint, TrainingRun

MAX_NAME = 120


@require_GET
@signed_in
def checkpoint(request: SignedInRequest, checkpoint_id: int) -> HttpResponse:
    """One checkpoint."""
    found = readable_checkpoint(request, checkpoint_id)
    lineage, shares = lineage_of(found), _shares(found.run.dataset)
    context = {
        "checkpoint": found,
        "run": found.run,
        "dataset": found.run.dataset,
        "picture": picture_of(lineage),
        "is_complete": lineage.is_complete,
        **_retraining(request, found.run, shares),
        "further_datasets": _further_datasets(lineage, found.run.dataset),
        **round_context(request.user, found),
        **serving_context(request.user, found.language_model),
        "may_engineer": may_engineer(request.user, found.run.workspace),
        "is_there": found.folder.is_dir(),
        "is_whole": (found.folder / "config.json").is_file(),
        "has_adapter": model_export.has_adapter(found),
    }
    return render(request, "frontend/checkpoints/page.html", context)


@require_POST
@signed_in
def publish(request: SignedInRequest, checkpoint_id: int) -> HttpResponse:
    """Make it a language model."""
    found = readable_checkpoint(request, checkpoint_id)
    access.require_engineer(request.user, found.run.workspace)
    name = request.POST.get("name", "").strip()[:MAX_NAME] or f"{found.run} step {found.step}"
    services.publish_checkpoint(checkpoint=found, name=name)
    return redirect("checkpoint", found.pk)


@require_GET
@signed_in
def export(request: SignedInRequest, checkpoint_id: int) -> StreamingHttpResponse:
    """The weights as a Hugging Face folder in an archive."""
    found = readable_checkpoint(request, checkpoint_id)
    return archive_response(found, request.GET.get("form", model_export.MODEL))


def readable_checkpoint(request: SignedInRequest, checkpoint_id: int) -> Checkpoint:
    """Raises 404 for one that the user may not read."""
    related = ("run__workspace", "run__dataset", "run__init_model", "run__reward_model", "language_model")
    rows = Checkpoint.objects.visible_to(request.user).select_related(*related)
    found: Checkpoint = get_object_or_404(rows, pk=checkpoint_id)
    return found


def _retraining(request: SignedInRequest, run: TrainingRun, shares: list[dataset_trace.Share] | None) -> dict[str, Any]:
    """Who decided the data, and what has been trained without some of them."""
    may_retrain = (
        bool(shares) and run.status == TrainingRun.Status.FINISHED and may_engineer(request.user, run.workspace)
    )
    return {"shares": shares, "may_retrain": may_retrain, "retrainings": run.retrainings.all()}


def _shares(dataset: Dataset | None) -> list[dataset_trace.Share] | None:
    """None where there is no file to read them from."""
    if dataset is None or dataset.status != Dataset.Status.FINISHED or not dataset.parquet_path.is_file():
        return None
    return dataset_trace.shares(dataset)


def _further_datasets(lineage: Lineage, own: Dataset | None) -> list[Any]:
    """Those behind the models that it started from or was rewarded by."""
    return [node for node in lineage.nodes.values() if node.kind == "dataset" and (own is None or node.id != own.pk)]
