"""Pages beside the task: own answers, settings, what is not to be shown, a word against a pause."""

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from annotation import quality_pauses
from annotation.opt_outs import set_opt_outs
from frontend import preferences, progress
from frontend.access import SignedInRequest, signed_in
from frontend.views.labeling_replies import in_json, is_script, own_enrolment


@require_GET
@signed_in
def history(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """The labeler's own latest answers; the last ten can be given anew."""
    enrolment = own_enrolment(request, campaign_id)
    lines = progress.history_of(enrolment.campaign, enrolment.annotator)
    template = "history_list" if is_script(request) else "history"
    context = {"campaign": enrolment.campaign, "lines": lines}
    return render(request, f"frontend/labeling/{template}.html", context)


@require_GET
@signed_in
def settings(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Keys and one-press mode of the labeler; what they opted out of."""
    enrolment = own_enrolment(request, campaign_id)
    context = {
        "campaign": enrolment.campaign,
        "action_keys": preferences.action_keys(enrolment.annotator),
        "preferences": preferences.of_page(enrolment.annotator),
        "categories": preferences.categories_for(enrolment.annotator),
    }
    return render(request, "frontend/labeling/settings.html", context)


@require_POST
@signed_in
@in_json
def store_settings(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Keep keys and one-press mode; keys that clash are refused in words."""
    stored = preferences.store(own_enrolment(request, campaign_id).annotator, request.POST)
    if is_script(request):
        return JsonResponse(stored)
    messages.info(request, "Your settings are stored.")
    return redirect("labeling-settings", campaign_id)


@require_POST
@signed_in
def opt_out(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Keep the categories that the labeler will not be shown."""
    enrolment = own_enrolment(request, campaign_id)
    set_opt_outs(annotator=enrolment.annotator, categories=request.POST.getlist("category"))
    messages.info(request, "Stored. It holds from the next task on.")
    return redirect("labeling-settings", campaign_id)


@require_POST
@signed_in
def dispute(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Say why a pause is wrong; the managers read it."""
    enrolment = own_enrolment(request, campaign_id)
    quality_pauses.dispute(
        campaign=enrolment.campaign, annotator=enrolment.annotator, text=request.POST.get("text", "")
    )
    messages.info(request, "The managers of this campaign have been told.")
    return redirect("label", campaign_id)
