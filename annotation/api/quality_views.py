"""Consensus, statistics of annotators, alerts and pauses over REST: readers see them, managers act."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.jobs import JobViewSet
from accounts.api.listing import LongPages, by_choice, by_flag, by_id, by_presence, by_text
from accounts.api.viewsets import ApiViewSet
from annotation import aggregation, consensus, quality_alerts, quality_pauses, reports
from annotation.api.labeling_views import annotator_in, enrolled_campaigns
from annotation.api.quality_serializers import (
    AlertSerializer,
    AnnotatorStatisticsSerializer,
    ConsensusRunInput,
    ConsensusRunSerializer,
    ConsensusSerializer,
    DisputeInput,
    PauseInput,
    PauseSerializer,
    UpholdInput,
)
from annotation.models import Alert, Annotator, Campaign, Consensus, ConsensusRun, Enrolment
from core.models import Job


class ConsensusRunViewSet(JobViewSet):
    """Consensus runs: one answer for each comparison, made of its judgments."""

    queryset = ConsensusRun.objects.select_related("created_by", "campaign__workspace")
    serializer_class = ConsensusRunSerializer
    filters = {
        "workspace": by_id("campaign__workspace"),
        "campaign": by_id("campaign"),
        "method": by_choice("method", [(name, name) for name in aggregation.METHODS]),
        "status": by_choice("status", Job.Status.choices),
    }
    orderings = ("created_at", "finished_at", "status")

    def workspace_of(self, job: ConsensusRun) -> Any:
        return job.campaign.workspace

    @extend_schema(request=ConsensusRunInput, responses={201: ConsensusRunSerializer})
    def create(self, request: Request) -> Response:
        """Start a consensus run."""
        wanted = self.read_input(ConsensusRunInput)
        access.require_manager(self.user, wanted["campaign"].workspace)
        return self.created(consensus.start_consensus_run(**wanted, user=self.user))


class ConsensusViewSet(ApiViewSet):
    """The rows of a consensus run."""

    queryset = Consensus.objects.all()
    serializer_class = ConsensusSerializer
    pagination_class = LongPages
    filters = {"comparison": by_id("comparison"), "is_adjudicated": by_flag("is_adjudicated")}
    orderings = ("comparison", "confidence")

    def get_queryset(self) -> QuerySet[Any]:
        """The run's rows; `list` checks that the run may be seen."""
        return Consensus.objects.filter(run=self.kwargs.get("run")).order_by("pk")

    def list(self, request: Request, run: int) -> Response:  # type: ignore[override] # it is in the address
        self.parent(ConsensusRun, run)
        return self.page(self.filter_queryset(self.get_queryset()))


class OfManagedCampaign(ApiViewSet):
    """What hangs under a campaign's address: readers see it, managers act on it."""

    def get_queryset(self) -> QuerySet[Any]:
        """The campaign's rows; every action checks that the campaign may be seen."""
        rows: QuerySet[Any] = super(ApiViewSet, self).get_queryset()
        return rows.filter(campaign=self.kwargs.get("campaign"))

    def readable(self) -> Campaign:
        campaign: Campaign = self.parent(Campaign, self.kwargs["campaign"])
        return campaign

    def managed(self) -> Campaign:
        """The campaign, if the user manages it. Raises 404, `AccessDenied`."""
        campaign = self.readable()
        access.require_manager(self.user, campaign.workspace)
        return campaign

    def page_of(self, rows: Any) -> Response:
        """One page of what was computed; unknown query parameters are refused as in every list."""
        self.filter_queryset(self.get_queryset())
        return self.page(rows)


class AnnotatorStatisticsViewSet(OfManagedCampaign):
    """Statistics of a campaign's annotators."""

    queryset = Enrolment.objects.all()
    serializer_class = AnnotatorStatisticsSerializer

    def list(self, request: Request, campaign: int) -> Response:  # type: ignore[override] # it is in the address
        """List what each annotator's judgments say of them, with intervals and reasons."""
        return self.page_of(reports.annotator_rows(self.readable()))


class AlertViewSet(OfManagedCampaign):
    """Alerts about a campaign's annotators."""

    queryset = Alert.objects.select_related("annotator")
    serializer_class = AlertSerializer
    filters = {
        "annotator": by_id("annotator"),
        "kind": by_text("kind"),
        "is_resolved": by_presence("resolved_at"),
    }
    orderings = ("created_at",)

    def list(self, request: Request, campaign: int) -> Response:  # type: ignore[override] # it is in the address
        """List alerts, the newest first."""
        self.readable()
        return self.page(self.filter_queryset(self.get_queryset()))

    @extend_schema(request=None)
    def resolve(self, request: Request, campaign: int, pk: int) -> Response:
        """Note that it has been seen."""
        self.managed()
        alert = self.get_object()
        quality_alerts.resolve(alert)
        alert.refresh_from_db()
        return self.show(alert)


class PauseViewSet(OfManagedCampaign):
    """Pauses of a campaign's annotators, and what they say against them."""

    queryset = Enrolment.objects.select_related("annotator", "campaign")
    serializer_class = PauseSerializer
    filters = {"annotator": by_id("annotator"), "is_disputed": by_presence("disputed_at")}
    orderings = ("paused_at", "disputed_at")

    def list(self, request: Request, campaign: int) -> Response:  # type: ignore[override] # it is in the address
        """List who is paused and why."""
        self.readable()
        paused = self.get_queryset().filter(is_active=False).exclude(annotator__kind=Annotator.Kind.IMPORTED)
        return self.page(self.filter_queryset(paused))

    @extend_schema(request=PauseInput)
    def pause(self, request: Request, campaign: int, annotator: int) -> Response:
        """Serve the annotator nothing more, and tell them why."""
        place = self._place()
        reason = self.read_input(PauseInput)["reason"]
        quality_pauses.pause(campaign=place.campaign, annotator=place.annotator, kind="manager", reason=reason)
        return self._shown(place)

    @extend_schema(request=None)
    def resume(self, request: Request, campaign: int, annotator: int) -> Response:
        """Serve the annotator again; alerts about them are resolved."""
        place = self._place()
        quality_pauses.resume(campaign=place.campaign, annotator=place.annotator)
        return self._shown(place)

    @extend_schema(request=UpholdInput)
    def uphold(self, request: Request, campaign: int, annotator: int) -> Response:
        """Keep a disputed pause. 409 if the annotator is not paused."""
        place = self._place()
        quality_alerts.uphold_pause(enrolment=place, **self.read_input(UpholdInput))
        return self._shown(place)

    def _place(self) -> Enrolment:
        self.managed()
        place: Enrolment = get_object_or_404(self.get_queryset(), annotator=self.kwargs["annotator"])
        return place

    def _shown(self, place: Enrolment) -> Response:
        place.refresh_from_db()
        return self.show(place)


class DisputeViewSet(ApiViewSet):
    """What a paused labeler says."""

    queryset = Campaign.objects.order_by("pk")
    serializer_class: type[serializers.BaseSerializer[Any]] = DisputeInput

    @extend_schema(request=DisputeInput, responses={204: None})
    def create(self, request: Request, pk: int) -> Response:
        """Speak against one's own pause; the managers read it. 409 if there is none."""
        campaign = get_object_or_404(enrolled_campaigns(self.user), pk=pk)
        text = self.read_input(DisputeInput)["text"]
        quality_pauses.dispute(campaign=campaign, annotator=annotator_in(campaign, self.user), text=text)
        return Response(status=status.HTTP_204_NO_CONTENT)
