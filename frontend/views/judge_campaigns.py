"""A campaign's judges: how good each is on its human judgments, runs, and routing."""

from typing import Any

from django import forms
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from annotation import judge_routing, services
from annotation.judge_report import JudgeReport, calibration_of
from annotation.models import Annotator, Campaign, JudgeVersion, JudgingRun
from core.errors import ConcordError
from frontend.access import SignedInRequest, may_manage, signed_in
from frontend.calibration_rows import agreement_rows, bias_rows, figures_of
from frontend.content_policy import allows_plot_styles
from frontend.views.campaigns import managed_campaign, readable_campaign
from generation.models import LanguageModel

WITH_WEIGHTS = (LanguageModel.Source.FOLDER, LanguageModel.Source.HUB)


@require_GET
@signed_in
def campaign_judges(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Who judges in this campaign, and which comparisons go to people."""
    return render(request, "frontend/judges/campaign.html", _context(request, readable_campaign(request, campaign_id)))


@require_POST
@signed_in
def start(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Start a run of a judge: answers, a calibration, or an injection test."""
    found = managed_campaign(request, campaign_id)
    judge = get_object_or_404(_judges_of(found), pk=_number(request.POST.get("judge", "")))
    wanted: dict[str, Any] = {
        "kind": request.POST.get("kind", JudgingRun.Kind.ANSWER),
        "uses_managed_server": "uses_managed_server" in request.POST,
    }
    try:
        run = services.start_judging_run(campaign=found, annotator=judge, user=request.user, **wanted)
    except ConcordError as error:
        context = {**_context(request, found), "start_error": error.detail}
        return render(request, "frontend/judges/campaign.html", context, status=error.status)
    return redirect("judging-run", run.pk)


@require_GET
@signed_in
@allows_plot_styles
def calibration(request: SignedInRequest, campaign_id: int, judge_id: int) -> HttpResponse:
    """A judge on this campaign's own human judgments; `?version=1` names an earlier version."""
    found = readable_campaign(request, campaign_id)
    judge, version = _judge_and_version(request, found, judge_id)
    report = calibration_of(found, judge, version)
    context = {
        "campaign": found,
        "judge": judge,
        "versions": judge.versions.order_by("-number"),
        "report": report,
        "agreement": agreement_rows(report),
        "biases": bias_rows(report),
        "num_calls": sum(report.outcomes.values()),
        "num_unread": sum(count for name, count in report.outcomes.items() if name != "Verdict"),
    }
    return render(request, "frontend/judges/calibration.html", context)


@require_GET
@signed_in
def calibration_figures(request: SignedInRequest, campaign_id: int, judge_id: int) -> JsonResponse:
    """What calibration.js draws."""
    found = readable_campaign(request, campaign_id)
    judge, version = _judge_and_version(request, found, judge_id)
    report: JudgeReport = calibration_of(found, judge, version)
    return JsonResponse(figures_of(report))


@require_POST
@signed_in
def set_routing(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Let a judge decide what is clear to it."""
    found = managed_campaign(request, campaign_id)
    form = RoutingForm(request.POST, campaign=found)
    if form.is_valid():
        try:
            judge_routing.set_routing(campaign=found, **form.cleaned_data)
            return redirect("campaign-judges", campaign_id)
        except ConcordError as error:
            form.add_error(None, error.detail)
    context = {**_context(request, found), "routing_form": form}
    return render(request, "frontend/judges/campaign.html", context, status=422)


@require_POST
@signed_in
def stop_routing(request: SignedInRequest, campaign_id: int) -> HttpResponse:
    """Serve everything to people again."""
    judge_routing.stop_routing(campaign=managed_campaign(request, campaign_id))
    return redirect("campaign-judges", campaign_id)


class RoutingForm(forms.Form):
    """When people are asked."""

    judge = forms.ModelChoiceField(queryset=Annotator.objects.none(), empty_label=None)
    min_margin = forms.FloatField(
        min_value=0, max_value=1, initial=0.0, label="Least margin", help_text="Less clear verdicts go to people."
    )
    flipped_to_people = forms.BooleanField(
        required=False, initial=True, label="Verdicts that the order flips go to people"
    )
    audit_share = forms.FloatField(
        min_value=0,
        max_value=1,
        initial=0.1,
        label="Blind audit",
        help_text="Share of the clear ones that people judge as well.",
    )
    seed = forms.IntegerField(min_value=0, initial=0, help_text="Of the audit's draw.")

    def __init__(self, *args: Any, campaign: Campaign, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["judge"].queryset = _judges_of(campaign)  # type: ignore[attr-defined] # it has one


def _context(request: SignedInRequest, found: Campaign) -> dict[str, Any]:
    manages = may_manage(request.user, found.workspace)
    routing = judge_routing.routing_of(found)
    routes = list(judge_routing.routes_of(routing).values()) if routing else []
    here = Annotator.objects.in_campaign(found).exclude(pk__in=Annotator.objects.people())
    fields = ("judge", "min_margin", "flipped_to_people", "audit_share", "seed")
    initial = {name: getattr(routing, name) for name in fields} if routing else None
    return {
        "campaign": found,
        "may_manage": manages,
        "judges": here.order_by("name"),
        "paused": dict(found.enrolments.filter(is_active=False).values_list("annotator", "pause_reason")),
        "all_judges": _judges_of(found),
        "runs": found.judging_runs.select_related("annotator", "version")[:20],
        "kinds": JudgingRun.Kind.choices,
        "has_weights": _judges_of(found).filter(versions__model__source__in=WITH_WEIGHTS).exists(),
        "routing": routing,
        "routing_form": RoutingForm(campaign=found, initial=initial) if manages else None,
        "num_held": judge_routing.num_held(found),
        "num_routed": len(routes),
        "num_kept": sum(route.decided_by == "judge" for route in routes),
        "num_audited": sum(route.is_audited for route in routes),
    }


def _judges_of(campaign: Campaign) -> Any:
    rows = Annotator.objects.filter(workspace=campaign.workspace_id, kind=Annotator.Kind.JUDGE)
    return rows.order_by("name")


def _judge_and_version(
    request: SignedInRequest, campaign: Campaign, judge_id: int
) -> tuple[Annotator, JudgeVersion | None]:
    rows = Annotator.objects.in_campaign(campaign).exclude(pk__in=Annotator.objects.people())
    judge: Annotator = get_object_or_404(rows, pk=judge_id)
    number = _number(request.GET.get("version", ""))
    version: JudgeVersion | None = judge.versions.filter(number=number).first() if number else None
    return judge, version


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0
