"""Starting sampling runs: a form with a row for each arm, and what it would come to."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from core.errors import ConcordError
from frontend.access import SignedInRequest, signed_in
from frontend.sampling_forms import ArmForm, SamplingRunForm, arm_forms, arm_numbers, usable_models
from generation import services
from generation.models import PromptSet, SamplingRun
from generation.sampling_estimate import estimate


@require_GET
@signed_in
def new_sampling(request: SignedInRequest, set_id: int) -> HttpResponse:
    """The form of a run over this prompt set."""
    prompt_set = _prompt_set(request, set_id)
    form = SamplingRunForm(initial={"name": f"Candidates for {prompt_set}"[:120]})
    return _form(request, prompt_set, form, [ArmForm(workspace=prompt_set.workspace, number=0)])


@require_POST
@signed_in
def start_sampling(request: SignedInRequest, set_id: int) -> HttpResponse:
    """Start the run. What was refused comes back with the reason."""
    prompt_set = _prompt_set(request, set_id)
    form, arms = SamplingRunForm(request.POST), arm_forms(request.POST, prompt_set.workspace)
    if not all([form.is_valid(), *(arm.is_valid() for arm in arms)]):
        return _form(request, prompt_set, form, arms, error="Some fields need another look.")
    try:
        run = services.start_sampling_run(
            workspace=prompt_set.workspace,
            prompt_set=prompt_set,
            arms=[arm.spec() for arm in arms],
            user=request.user,
            **form.cleaned_data,
        )
    except ConcordError as error:
        return _form(request, prompt_set, form, arms, error=error.detail)
    return redirect("sampling-run", run.pk)


@require_GET
@signed_in
def new_arm(request: SignedInRequest, set_id: int) -> HttpResponse:
    """One more row, numbered after those that the form has (`?arm=0&arm=1`)."""
    prompt_set = _prompt_set(request, set_id)
    number = max(arm_numbers(request.GET.getlist("arm")), default=-1) + 1
    arm = ArmForm(workspace=prompt_set.workspace, number=number)
    response = render(request, "frontend/generation/sampling_arm_row.html", {"arm": arm, "prompt_set": prompt_set})
    response["HX-Trigger-After-Settle"] = "arms-changed"
    return response


@require_POST
@signed_in
def estimate_sampling(request: SignedInRequest, set_id: int) -> HttpResponse:
    """How many completions and tokens the form as it stands would come to."""
    prompt_set = _prompt_set(request, set_id)
    form, arms = SamplingRunForm(request.POST), arm_forms(request.POST, prompt_set.workspace)
    form.full_clean()
    is_known = all(arm.is_valid() for arm in arms) and not {"split", "max_prompts"} & form.errors.keys()
    context: dict[str, Any] = {"num_arms": len(arms)}
    if is_known and arms:
        said = form.cleaned_data
        context["estimate"] = estimate(
            prompt_set=prompt_set,
            arms=[arm.spec() for arm in arms],
            split=said["split"],
            max_prompts=said["max_prompts"],
        )
    return render(request, "frontend/generation/sampling_estimate.html", context)


@require_POST
@signed_in
def retry_sampling(request: SignedInRequest, run_id: int) -> HttpResponse:
    """Sample what is missing."""
    run: SamplingRun = get_object_or_404(SamplingRun.objects.visible_to(request.user), pk=run_id)
    access.require_engineer(request.user, run.workspace)
    services.retry_sampling(run=run)
    return redirect("sampling-run", run_id)


def _prompt_set(request: SignedInRequest, set_id: int) -> PromptSet:
    found: PromptSet = get_object_or_404(
        PromptSet.objects.visible_to(request.user).select_related("workspace"), pk=set_id
    )
    access.require_engineer(request.user, found.workspace)
    return found


def _form(
    request: SignedInRequest, prompt_set: PromptSet, form: SamplingRunForm, arms: list[ArmForm], error: str = ""
) -> HttpResponse:
    context = {
        "prompt_set": prompt_set,
        "form": form,
        "arms": arms,
        "error": error,
        "has_models": usable_models(prompt_set.workspace).exists(),
    }
    return render(request, "frontend/generation/sampling_new.html", context, status=422 if error else 200)
