"""LLM judges over REST: versions, panels, calls, calibration, routing."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.listing import by_choice, by_id
from accounts.api.viewsets import ApiViewSet
from annotation import judge_routing, judge_versions, rereading
from annotation.api.judge_serializers import (
    CalibrationQuery,
    CalibrationSerializer,
    JudgeCallRowSerializer,
    JudgeCallSerializer,
    JudgeVersionSerializer,
    LlmJudgeInput,
    PanelInput,
    RereadSerializer,
    RoutingInput,
    RoutingSerializer,
    VersionInput,
)
from annotation.api.serializers import AnnotatorSerializer, NumAddedSerializer
from annotation.judge_report import calibration_of
from annotation.models import Annotator, Campaign, JudgeCall, JudgeVersion, JudgingRun, Routing
from core.errors import NotFound


class LlmJudgeViewSet(ApiViewSet):
    """Judges with a language model, and panels of them."""

    queryset = Annotator.objects.all()
    serializer_class = AnnotatorSerializer

    @extend_schema(request=LlmJudgeInput, responses={201: AnnotatorSerializer})
    def create(self, request: Request) -> Response:
        """Make a judge with version 1."""
        wanted = self.read_input(LlmJudgeInput)
        access.require_manager(self.user, wanted["workspace"])
        return self.created(judge_versions.create_llm_judge(**wanted, user=self.user))

    @extend_schema(request=PanelInput, responses={201: AnnotatorSerializer})
    def create_panel(self, request: Request) -> Response:
        """Make a panel: it combines its members' verdicts and asks nobody."""
        wanted = self.read_input(PanelInput)
        access.require_manager(self.user, wanted["workspace"])
        return self.created(judge_versions.create_panel(**wanted))


class JudgeVersionViewSet(ApiViewSet):
    """What a judge is and was."""

    queryset = JudgeVersion.objects.select_related("judge", "model")
    serializer_class = JudgeVersionSerializer
    orderings = ("number",)

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        return (
            rows.filter(judge=self.parent(Annotator, self.kwargs["annotator"])) if "annotator" in self.kwargs else rows
        )

    @extend_schema(request=VersionInput, responses={201: JudgeVersionSerializer})
    def create(self, request: Request, annotator: int) -> Response:
        """Make the next version; the newest again if nothing differs."""
        judge = self.parent(Annotator, annotator)
        access.require_manager(self.user, judge.workspace)
        return self.created(judge_versions.add_version(judge=judge, user=self.user, **self.read_input(VersionInput)))


class JudgeCallViewSet(ApiViewSet):
    """What judges were asked and what they replied."""

    queryset = JudgeCall.objects.select_related("run", "version")
    serializer_class = JudgeCallSerializer
    list_serializer_class = JudgeCallRowSerializer
    filters = {"comparison": by_id("comparison"), "outcome": by_choice("outcome", JudgeCall.Outcome.choices)}
    orderings = ("id", "created_at", "latency_ms")

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        return rows.filter(run=self.parent(JudgingRun, self.kwargs["run"])) if "run" in self.kwargs else rows

    @extend_schema(request=None, responses={200: RereadSerializer})
    def reread(self, request: Request, run: int) -> Response:
        """Read all stored replies of the run again; answers that come out otherwise are revised."""
        found = self.parent(JudgingRun, run)
        access.require_manager(self.user, found.campaign.workspace)
        return Response(RereadSerializer(rereading.reread(found)).data)


class CalibrationViewSet(ApiViewSet):
    """How good a judge is on a campaign's human judgments."""

    queryset = Campaign.objects.all()
    serializer_class = CalibrationSerializer

    @extend_schema(parameters=[CalibrationQuery])
    def show_calibration(self, request: Request, campaign: int, annotator: int) -> Response:
        """Agreement, biases, soft labels, routing curve, cost, drift."""
        found = self.parent(Campaign, campaign)
        judge = get_object_or_404(Annotator.objects.in_campaign(found), pk=annotator)
        number = self.read_query(CalibrationQuery).get("version")
        version = get_object_or_404(judge.versions.all(), number=number) if number else None
        return self.show(calibration_of(found, judge, version))


class RoutingViewSet(ApiViewSet):
    """Which comparisons a judge decides alone."""

    queryset = Routing.objects.select_related("judge")
    serializer_class = RoutingSerializer

    def show_routing(self, request: Request, campaign: int) -> Response:
        """The campaign's rule."""
        found = judge_routing.routing_of(self.parent(Campaign, campaign))
        if found is None:
            raise NotFound("This campaign is not routed.")
        return self.show(found)

    @extend_schema(request=RoutingInput, responses={200: RoutingSerializer})
    def set_routing(self, request: Request, campaign: int) -> Response:
        """Hold people's tasks for the judge, or change the rule."""
        found = self.parent(Campaign, campaign)
        access.require_manager(self.user, found.workspace)
        return self.show(judge_routing.set_routing(campaign=found, **self.read_input(RoutingInput)))

    @extend_schema(request=None, responses={200: NumAddedSerializer})
    def stop(self, request: Request, campaign: int) -> Response:
        """Serve everything that is held."""
        found = self.parent(Campaign, campaign)
        access.require_manager(self.user, found.workspace)
        return Response({"num_added": judge_routing.stop_routing(campaign=found)})
