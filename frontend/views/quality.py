"""Quality of a campaign's judgments: annotators, agreement, alerts, pauses, consensus, and why a task was served."""

from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from annotation import aggregation, consensus, progress_report, quality_alerts, quality_pauses, queue_reasons
from annotation.campaign_report import Dashboard, dashboard
from annotation.models import Alert, Annotator, Campaign, Comparison, Enrolment, Slot
from annotation.reports import annotator_rows
from frontend.access import SignedInRequest, may_manage, signed_in
from frontend.campaign_costs import costs_of
from frontend.campaign_figures import figures_of, shown_ceilings
from frontend.content_policy import allows_plot_styles
from frontend.views.campaigns import managed_campaign, readable_campaign

NUM_HARDEST = 15
ABOUT_A_PAUSE = ("gold", "qualification", "manager", "dispute")
DEFAULT_REASON = "a manager of this campaign has paused you; ask them why"


@require_GET
@signed_in
@allows_plot_styles
def campaign_quality(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Every number about a campaign's judgments and those who gave them."""
    found = readable_campaign(request, campaign_id)
    numbers = dashboard(found)
    context = {
        "campaign": found,
        "may_manage": may_manage(request.user, found.workspace),
        "numbers": numbers,
        "annotators": sorted(annotator_rows(found), key=lambda row: (-len(row.work.flags), -row.work.num_judged)),
        "alerts": _alerts(found),
        "paused": _paused(found),
        "hardest": _hardest(numbers),
        "versions": numbers.versions,
        "ceilings": shown_ceilings(numbers),
        "costs": costs_of(found, numbers),
        "consensus_runs": found.consensus_runs.all()[:5],
        "methods": list(aggregation.METHODS),
    }
    return render(request, "frontend/quality/page.html", context)


@require_GET
@signed_in
def figures(request: SignedInRequest, campaign_id: int) -> JsonResponse:
    """What dashboard.js draws."""
    found = readable_campaign(request, campaign_id)
    names = dict(Annotator.objects.filter(enrolments__campaign=found).values_list("pk", "name"))
    return JsonResponse(figures_of(dashboard(found), progress_report.throughput(found), names))


@require_GET
@signed_in
def why_served(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Why slots of a comparison were served, or why there is nothing for an annotator."""
    found = readable_campaign(request, campaign_id)
    comparison, annotator = request.GET.get("comparison", ""), request.GET.get("annotator", "")
    context: dict[str, Any] = {"campaign": found, "comparison": comparison}
    if annotator.isdecimal() and len(annotator) < 18:
        someone = get_object_or_404(Annotator, pk=annotator, enrolments__campaign=found)
        context |= {"annotator": someone, "reason": queue_reasons.why_nothing(campaign=found, annotator=someone)}
    if comparison.isdecimal() and len(comparison) < 18:
        slots = Slot.objects.filter(campaign=found, comparison=int(comparison)).select_related("annotator")
        context["slots"] = [(slot, queue_reasons.why_served(slot)) for slot in slots.order_by("purpose", "number")]
    return render(request, "frontend/quality/served.html", context)


@require_POST
@signed_in
def start_consensus(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Queue a consensus run."""
    found = managed_campaign(request, campaign_id)
    consensus.start_consensus_run(campaign=found, method=request.POST.get("method", ""), user=request.user)
    return redirect("campaign-quality", campaign_id)


@require_POST
@signed_in
def resolve_alert(request: SignedInRequest, campaign_id: int, alert_id: int) -> HttpResponse:
    """Note that a manager has seen an alert."""
    found = managed_campaign(request, campaign_id)
    quality_alerts.resolve(get_object_or_404(Alert, pk=alert_id, campaign=found))
    return redirect("campaign-quality", campaign_id)


@require_POST
@signed_in
def pause(request: SignedInRequest, campaign_id: int, annotator_id: int) -> HttpResponse:
    """Serve an annotator nothing more, and tell them why."""
    found = managed_campaign(request, campaign_id)
    enrolment = _enrolment(found, annotator_id)
    reason = request.POST.get("reason", "").strip()[:500] or DEFAULT_REASON
    quality_pauses.pause(campaign=found, annotator=enrolment.annotator, kind="manager", reason=reason)
    return redirect("campaign-quality", campaign_id)


@require_POST
@signed_in
def resume(request: SignedInRequest, campaign_id: int, annotator_id: int) -> HttpResponse:
    """Serve a paused annotator again."""
    found = managed_campaign(request, campaign_id)
    quality_pauses.resume(campaign=found, annotator=_enrolment(found, annotator_id).annotator)
    return redirect("campaign-quality", campaign_id)


@require_POST
@signed_in
def uphold(request: SignedInRequest, campaign_id: int, annotator_id: int) -> HttpResponse:
    """Keep a disputed pause; the dispute's alert is resolved and the answer shown with the reason."""
    found = managed_campaign(request, campaign_id)
    enrolment = _enrolment(found, annotator_id)
    quality_alerts.uphold_pause(enrolment=enrolment, answer=request.POST.get("answer", ""))
    messages.info(request, f"{enrolment.annotator} stays paused.")
    return redirect("campaign-quality", campaign_id)


def _enrolment(campaign: Campaign, annotator_id: int) -> Enrolment:
    rows = Enrolment.objects.select_related("annotator")
    return get_object_or_404(rows, campaign=campaign, annotator=annotator_id)


def _alerts(campaign: Campaign) -> QuerySet[Alert]:
    """Open alerts, without those that say what the row of a paused annotator says already."""
    said = Q(kind__in=ABOUT_A_PAUSE, annotator__in=_paused(campaign).values("annotator"))
    return campaign.alerts.filter(resolved_at=None).exclude(said).select_related("annotator")


def _paused(campaign: Campaign) -> QuerySet[Enrolment]:
    paused = campaign.enrolments.filter(is_active=False).exclude(annotator__kind=Annotator.Kind.IMPORTED)
    return paused.select_related("annotator")


def _hardest(numbers: Dashboard) -> list[dict[str, Any]]:
    """The comparisons with most disagreement, each with its prompt."""
    items = numbers.hardest[:NUM_HARDEST]
    rows = Comparison.objects.select_related("prompt").in_bulk([item.comparison for item in items])
    return [{"item": item, "comparison": rows[item.comparison]} for item in items if item.comparison in rows]
