"""Campaigns, comparisons, annotators and judgments over REST, for managers and engineers."""

from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.jobs import JobViewSet
from accounts.api.listing import LongPages, by_choice, by_flag, by_id, by_text
from accounts.api.viewsets import ApiViewSet
from accounts.models import User
from annotation import reports, services
from annotation.api.serializers import (
    AgreementSerializer,
    AnnotatorSerializer,
    CampaignInput,
    CampaignSerializer,
    ComparisonSerializer,
    ComparisonsInput,
    EnrolmentInput,
    EnrolmentSerializer,
    JudgeInput,
    JudgingRunInput,
    JudgingRunSerializer,
    JudgmentSerializer,
    NumAddedSerializer,
)
from annotation.models import Annotator, Campaign, Comparison, Enrolment, JudgingRun, Judgment
from core.models import Job


class CampaignViewSet(ApiViewSet):
    """Campaigns."""

    queryset = Campaign.objects.with_progress().select_related("created_by")
    serializer_class = CampaignSerializer
    filters = {
        "workspace": by_id("workspace"),
        "status": by_choice("status", Campaign.Status.choices),
        "name": by_text("name__icontains"),
    }
    orderings = ("created_at", "name", "status")

    @extend_schema(request=CampaignInput, responses={201: CampaignSerializer})
    def create(self, request: Request) -> Response:
        """Create a campaign in draft: add comparisons, enrol annotators, then open it."""
        wanted = self.read_input(CampaignInput)
        access.require_manager(self.user, wanted["workspace"])
        campaign = services.create_campaign(**wanted, user=self.user)
        return self.created(self.get_queryset().get(pk=campaign.pk))

    @extend_schema(request=None)
    def open(self, request: Request, pk: int) -> Response:
        """Open it: serve its slots."""
        return self._move(Campaign.Status.OPEN)

    @extend_schema(request=None)
    def pause(self, request: Request, pk: int) -> Response:
        """Pause it: take answers to leased slots, and serve nothing new."""
        return self._move(Campaign.Status.PAUSED)

    @extend_schema(request=None)
    def close(self, request: Request, pk: int) -> Response:
        """Close it for good."""
        return self._move(Campaign.Status.CLOSED)

    @extend_schema(responses=AgreementSerializer)
    def agreement(self, request: Request, pk: int) -> Response:
        """Raw agreement, Krippendorff's alpha, and the work of each annotator."""
        campaign = self.get_object()
        found = {"coefficients": reports.campaign_agreement(campaign), "annotators": reports.annotator_rows(campaign)}
        return Response(AgreementSerializer(found).data)

    def _move(self, new_status: str) -> Response:
        campaign = self.get_object()
        access.require_manager(self.user, campaign.workspace)
        return self.show(services.set_status(campaign=campaign, status=new_status))


class OfCampaignViewSet(ApiViewSet):
    """Rows that hang under a campaign's address."""

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(campaign=self.kwargs.get("campaign"))

    def list(self, request: Request, campaign: int) -> Response:  # type: ignore[override] # it is in the address
        self.parent(Campaign, campaign)
        return self.page(self.filter_queryset(self.get_queryset()))


class ComparisonViewSet(OfCampaignViewSet):
    """The comparisons of a campaign."""

    queryset = Comparison.objects.prefetch_related("candidates").annotate(
        num_slots=Count("slots"), num_judged=Count("slots", filter=Q(slots__judged_at__isnull=False))
    )
    serializer_class = ComparisonSerializer
    filters = {"prompt": by_id("prompt")}
    orderings = ("id", "priority", "num_judged")

    @extend_schema(request=ComparisonsInput, responses={201: NumAddedSerializer})
    def create(self, request: Request, campaign: int) -> Response:
        """Compare the completions of a sampling run.

        Adding the same run again adds nothing twice.
        """
        target = self.parent(Campaign, campaign)
        access.require_manager(self.user, target.workspace)
        num_added = services.add_comparisons(campaign=target, **self.read_input(ComparisonsInput))
        return Response({"num_added": num_added}, status=status.HTTP_201_CREATED)


class EnrolmentViewSet(OfCampaignViewSet):
    """The annotators of a campaign."""

    queryset = Enrolment.objects.select_related("annotator__user")
    serializer_class = EnrolmentSerializer
    filters = {"is_active": by_flag("is_active"), "kind": by_choice("annotator__kind", Annotator.Kind.choices)}

    def get_queryset(self) -> QuerySet[Any]:
        """The campaign's enrolments; `list` and `create` check that the campaign may be seen."""
        counted = Judgment.objects.filter(
            annotator=OuterRef("annotator"), comparison__campaign=OuterRef("campaign"), is_current=True
        )
        num_judged = counted.order_by().values("annotator").annotate(count=Count("pk")).values("count")
        rows = Enrolment.objects.select_related("annotator__user").filter(campaign=self.kwargs.get("campaign"))
        return rows.annotate(num_judged=Coalesce(Subquery(num_judged), 0)).order_by("pk")

    @extend_schema(request=EnrolmentInput, responses={201: EnrolmentSerializer})
    def create(self, request: Request, campaign: int) -> Response:
        """Enrol an annotator, or a member of the workspace by user name.

        Enrolling again lifts a pause.
        """
        target = self.parent(Campaign, campaign)
        access.require_manager(self.user, target.workspace)
        wanted = self.read_input(EnrolmentInput)
        annotator = wanted.get("annotator") or self._person(target, wanted["username"])
        enrolment = services.enrol(campaign=target, annotator=annotator)
        return self.created(self.get_queryset().get(pk=enrolment.pk))

    def _person(self, campaign: Campaign, username: str) -> Annotator:
        member = User.objects.filter(username=username, memberships__workspace=campaign.workspace).first()
        if member is None:
            raise serializers.ValidationError({"username": ["No member of this workspace has this name."]})
        return services.person_annotator(workspace=campaign.workspace, user=member)


class JudgmentViewSet(OfCampaignViewSet):
    """The judgments of a campaign, revisions included."""

    queryset = Judgment.objects.select_related("annotator").annotate(campaign=F("comparison__campaign"))
    serializer_class = JudgmentSerializer
    pagination_class = LongPages
    filters = {
        "comparison": by_id("comparison"),
        "annotator": by_id("annotator"),
        "is_current": by_flag("is_current"),
    }
    orderings = ("id", "created_at")


class AnnotatorViewSet(ApiViewSet):
    """Annotators of a workspace: people, judges, imported labels."""

    queryset = Annotator.objects.select_related("user")
    serializer_class = AnnotatorSerializer
    filters = {
        "workspace": by_id("workspace"),
        "kind": by_choice("kind", Annotator.Kind.choices),
        "name": by_text("name__icontains"),
    }
    orderings = ("id", "name")

    @extend_schema(request=JudgeInput, responses={201: AnnotatorSerializer})
    def create(self, request: Request) -> Response:
        """Create a judge.

        People become annotators when they are enrolled.
        """
        wanted = self.read_input(JudgeInput)
        access.require_manager(self.user, wanted["workspace"])
        return self.created(services.create_judge(**wanted))


class JudgingRunViewSet(JobViewSet):
    """Judging runs: a judge answers the open slots of a campaign."""

    queryset = JudgingRun.objects.select_related("created_by", "campaign__workspace")
    serializer_class = JudgingRunSerializer
    filters = {
        "workspace": by_id("campaign__workspace"),
        "campaign": by_id("campaign"),
        "annotator": by_id("annotator"),
        "status": by_choice("status", Job.Status.choices),
    }
    orderings = ("created_at", "finished_at", "status")

    def workspace_of(self, job: JudgingRun) -> Any:
        return job.campaign.workspace

    @extend_schema(request=JudgingRunInput, responses={201: JudgingRunSerializer})
    def create(self, request: Request) -> Response:
        """Start a judging run."""
        wanted = self.read_input(JudgingRunInput)
        access.require_manager(self.user, wanted["campaign"].workspace)
        return self.created(services.start_judging_run(**wanted, user=self.user))
