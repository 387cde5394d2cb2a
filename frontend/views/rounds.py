"""The next round from the page of a published checkpoint."""

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from annotation.models import Campaign
from frontend.access import SignedInRequest, signed_in
from frontend.views.checkpoints import readable_checkpoint
from generation.models import PromptSet
from pipeline import rounds
from pipeline.models import Round


@require_POST
@signed_in
def start_round(request: SignedInRequest, checkpoint_id: int) -> HttpResponse:
    """Sample by the checkpoint into a new campaign."""
    checkpoint = readable_checkpoint(request, checkpoint_id)
    access.require_manager(request.user, checkpoint.run.workspace)
    model = checkpoint.language_model
    if model is None:
        raise rounds.RoundRefused(f"{checkpoint} is not published: publish it first.")
    here = {"workspace": checkpoint.run.workspace}
    prompts = _number(request.POST.get("prompt_set", ""))
    made = rounds.start_round(
        model=model,
        former=get_object_or_404(Campaign.objects.filter(**here), pk=_number(request.POST.get("former", ""))),
        prompt_set=get_object_or_404(PromptSet.objects.filter(**here), pk=prompts) if prompts else None,
        beside=model.parent if request.POST.get("beside") else None,
        opens=bool(request.POST.get("opens")),
        user=request.user,
    )
    return redirect("round", made.pk)


@require_GET
@signed_in
def round_page(request: SignedInRequest, round_id: int) -> HttpResponse:
    """One round; htmx gets the moving part alone."""
    related = ("model__checkpoint", "former", "campaign", "sampling_run")
    found: Round = get_object_or_404(Round.objects.visible_to(request.user).select_related(*related), pk=round_id)
    name = "state" if request.htmx else "page"
    return render(request, f"frontend/rounds/{name}.html", {"round": found, "run": found.sampling_run})


def _number(text: str) -> int:
    """An id from a form; 0 for what is none."""
    return int(text) if text.isdecimal() and len(text) < 19 else 0
