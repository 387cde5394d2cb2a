"""What a training run leaves to read: its model card, and every text that it wrote."""

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.text import slugify
from django.views.decorators.http import require_GET

from frontend.access import SignedInRequest, signed_in
from training.model_card import model_card
from training.models import TrainingRun

SAMPLES_A_PAGE = 60


@require_GET
@signed_in
def model_card_file(request: SignedInRequest, run_id: int) -> HttpResponse:
    """The model card as a Markdown file."""
    run = _run(request, run_id)
    response = HttpResponse(model_card(run), content_type="text/markdown; charset=utf-8")
    name = slugify(run.name) or f"run-{run.pk}"
    response["Content-Disposition"] = f'attachment; filename="{name}-model-card.md"'
    return response


@require_GET
@signed_in
def samples(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Every sample text, prompt by prompt, step by step."""
    run = _run(request, run_id)
    rows = run.sample_texts.order_by("prompt", "step", "pk")
    page = Paginator(rows, SAMPLES_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "frontend/training/samples.html", {"run": run, "page": page})


def _run(request: SignedInRequest, run_id: int) -> TrainingRun:
    related = (
        "workspace",
        "dataset",
        "prompt_set",
        "init_model__parent",
        "reward_model",
        "held_out_reward_model",
        "data_report",
        "created_by",
    )
    found: TrainingRun = get_object_or_404(
        TrainingRun.objects.visible_to(request.user).select_related(*related), pk=run_id
    )
    return found
