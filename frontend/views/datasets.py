"""Frozen datasets: what is in them, where it came from, and the files."""

from pathlib import Path

from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from annotation.models import Dataset
from frontend.access import SignedInRequest, signed_in
from frontend.preview import first_rows

NUM_PREVIEWED = 6  # rows


@require_GET
@signed_in
def datasets(request: SignedInRequest) -> HttpResponse:
    """Every dataset that the user may read."""
    return render(request, "frontend/datasets/list.html", {"datasets": Dataset.objects.visible_to(request.user)})


@require_GET
@signed_in
def dataset(request: SignedInRequest, dataset_id: int) -> HttpResponse:
    """One dataset; htmx gets the moving part alone."""
    found = _dataset(request, dataset_id)
    context = {
        "run": found,
        "dataset": found,
        "campaigns": found.campaigns.with_progress(),
        "training_runs": found.training_runs.all(),
        "evaluations": found.evaluation_runs.prefetch_related("results__model", "subjects"),
        "rows": first_rows(found.jsonl_path, NUM_PREVIEWED) if found.status == Dataset.Status.FINISHED else [],
    }
    name = "state" if request.htmx else "page"
    return render(request, f"frontend/datasets/{name}.html", context)


@require_GET
@signed_in
def dataset_parquet(request: SignedInRequest, dataset_id: int) -> FileResponse:
    """The file that training reads."""
    return _file(_dataset(request, dataset_id).parquet_path, "application/vnd.apache.parquet", dataset_id)


@require_GET
@signed_in
def dataset_jsonl(request: SignedInRequest, dataset_id: int) -> FileResponse:
    """The same rows as JSON Lines."""
    return _file(_dataset(request, dataset_id).jsonl_path, "application/x-ndjson", dataset_id)


def _dataset(request: SignedInRequest, dataset_id: int) -> Dataset:
    rows = Dataset.objects.visible_to(request.user).select_related("workspace", "prompt_set")
    found: Dataset = get_object_or_404(rows, pk=dataset_id)
    return found


def _file(path: Path, content_type: str, dataset_id: int) -> FileResponse:
    if not path.is_file():
        raise Http404("This dataset has not been frozen yet.")
    name = f"concord-dataset-{dataset_id}{path.suffix}"
    return FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type=content_type)
