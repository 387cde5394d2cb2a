"""Campaigns for those who run them: progress, forecast, agreement, annotators."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts import access
from annotation import progress_report, services
from annotation.campaign_report import dashboard
from annotation.models import Campaign
from annotation.question import Question
from annotation.reports import annotator_rows
from frontend.access import SignedInRequest, may_manage, signed_in
from frontend.campaign_forms import managed_workspaces
from frontend.content_policy import allows_plot_styles

NUM_SAMPLES = 5  # comparisons shown on the page
NUM_ANNOTATORS = 8  # shown on the overview; the quality page has all


@require_GET
@signed_in
def campaigns(request: SignedInRequest) -> HttpResponse:
    """Every campaign that the user may read."""
    rows = Campaign.objects.visible_to(request.user).with_progress()
    may_create = managed_workspaces(request.user).exists()
    return render(request, "frontend/campaigns/list.html", {"campaigns": rows, "may_create": may_create})


@require_GET
@signed_in
@allows_plot_styles
def campaign(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """One campaign."""
    found = readable_campaign(request, campaign_id)
    samples = found.comparisons.select_related("prompt").order_by("pk").prefetch_related("candidates__completion")
    context = {
        **_progress(found),
        **_annotators(found),
        "question": Question.from_json(found.question),
        "may_manage": may_manage(request.user, found.workspace),
        "samples": samples[:NUM_SAMPLES],
    }
    return render(request, "frontend/campaigns/page.html", context)


@require_GET
@signed_in
def campaign_progress(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """The part of the page that moves while people judge."""
    return render(request, "frontend/campaigns/progress.html", _progress(readable_campaign(request, campaign_id)))


@require_POST
@signed_in
def campaign_status(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Open, pause or close."""
    found = readable_campaign(request, campaign_id)
    access.require_manager(request.user, found.workspace)
    services.set_status(campaign=found, status=request.POST.get("status", ""))
    return redirect("campaign", campaign_id)


def readable_campaign(request: SignedInRequest, campaign_id: int) -> Campaign:
    """The campaign with its progress; 404 for whoever may not read it."""
    rows = Campaign.objects.visible_to(request.user).with_progress().select_related("workspace")
    found: Campaign = get_object_or_404(rows, pk=campaign_id)
    return found


def managed_campaign(request: SignedInRequest, campaign_id: int) -> Campaign:
    """The same for whoever may act; 403 for other readers."""
    found = readable_campaign(request, campaign_id)
    access.require_manager(request.user, found.workspace)
    return found


def _progress(found: Any) -> dict[str, Any]:
    past = progress_report.throughput(found)
    return {
        "campaign": found,
        "numbers": dashboard(found),
        "agreement": dashboard(found).coefficients[:2],
        "forecast": progress_report.forecast(found, past, num_left=found.num_slots - found.num_judged),
        "num_alerts": found.alerts.filter(resolved_at=None).count(),
    }


def _annotators(found: Campaign) -> dict[str, Any]:
    rows = sorted(annotator_rows(found), key=lambda row: (-row.work.num_judged, row.annotator.pk))
    return {
        "annotators": rows[:NUM_ANNOTATORS],
        "num_annotators": len(rows),
        "judging_runs": found.judging_runs.select_related("annotator"),
        "datasets": found.datasets.all(),
    }
