"""Adjudication and gold items over REST: readers see the queue and the votes, managers decide."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.listing import by_flag, by_id
from accounts.api.viewsets import ApiViewSet
from annotation import adjudication, gold, services
from annotation.api.decision_serializers import (
    DecisionInput,
    DisputedSerializer,
    GoldCandidateSerializer,
    GoldInput,
    GoldSerializer,
    HeldSerializer,
    PromotedSerializer,
    UnanimousInput,
    VoteSerializer,
    WaitingSerializer,
)
from annotation.api.quality_views import OfManagedCampaign
from annotation.campaign_report import NUM_HARDEST, dashboard
from annotation.gold_candidates import candidates
from annotation.models import Annotator, Comparison, Judgment

NUM_CANDIDATES = 200


class AdjudicationQueueViewSet(OfManagedCampaign):
    """Comparisons about which annotators disagree."""

    queryset = Comparison.objects.all()
    serializer_class = WaitingSerializer

    def list(self, request: Request, campaign: int) -> Response:  # type: ignore[override] # it is in the address
        """List what waits for a decision, that with most disagreement first."""
        return self.page_of(adjudication.waiting(self.readable(), limit=NUM_HARDEST))


class DecisionViewSet(OfManagedCampaign):
    """What adjudicators decided in a campaign."""

    queryset = Judgment.objects.all()
    serializer_class = VoteSerializer
    filters = {"comparison": by_id("comparison"), "annotator": by_id("annotator")}

    def get_queryset(self) -> Any:
        """The campaign's decisions; `list` checks that the campaign may be seen."""
        rows = Judgment.objects.current().filter(purpose=adjudication.PURPOSE).select_related("annotator")
        return rows.filter(comparison__campaign=self.kwargs.get("campaign")).order_by("-pk")

    def list(self, request: Request, campaign: int) -> Response:  # type: ignore[override] # it is in the address
        """List decisions, the newest first."""
        self.readable()
        return self.page(self.filter_queryset(self.get_queryset()))


class OfComparison(ApiViewSet):
    """What hangs under a comparison's address."""

    queryset = Comparison.objects.select_related("campaign__workspace", "prompt")

    def managed(self) -> Comparison:
        """The comparison, if the user manages its campaign. Raises 404, `AccessDenied`."""
        comparison: Comparison = self.get_object()
        access.require_manager(self.user, comparison.campaign.workspace)
        return comparison

    def adjudicator(self, comparison: Comparison) -> Annotator:
        return services.person_annotator(workspace=comparison.campaign.workspace, user=self.user)


class AdjudicationViewSet(OfComparison):
    """One comparison, to be decided."""

    serializer_class = DisputedSerializer

    @extend_schema(operation_id="disputed_retrieve", responses=DisputedSerializer)
    def retrieve(self, request: Request, pk: int) -> Response:
        """Show the replies, every vote and the newest consensus."""
        return self.show(self.get_object())

    @extend_schema(request=None, responses=HeldSerializer)
    def take(self, request: Request, pk: int) -> Response:
        """Take it for half an hour, or go on with it. 409 if somebody else has it, or it has been decided."""
        comparison = self.managed()
        slot = adjudication.take(comparison=comparison, annotator=self.adjudicator(comparison))
        return Response(HeldSerializer(slot).data)

    @extend_schema(responses={204: None})
    def release(self, request: Request, pk: int) -> Response:
        """Give it back undecided."""
        comparison = self.managed()
        annotator = self.adjudicator(comparison)
        for slot in comparison.slots.filter(annotator=annotator, purpose=adjudication.PURPOSE):
            adjudication.release(slot=slot, annotator=annotator)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=DecisionInput, responses={201: VoteSerializer})
    def decide(self, request: Request, pk: int) -> Response:
        """Store the decision: it stands instead of the votes in consensus, reports and datasets.

        409 without a lease, 422 with the rule that the answer breaks.
        """
        comparison = self.managed()
        given = self.read_input(DecisionInput)
        annotator = self.adjudicator(comparison)
        slot = adjudication.held_by(comparison=comparison, annotator=annotator)
        judgment = adjudication.decide(slot=slot, annotator=annotator, **{**given, "token": str(given["token"])})
        return Response(VoteSerializer(judgment).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def reopen(self, request: Request, pk: int) -> Response:
        """Withdraw the decision: the comparison waits again."""
        adjudication.reopen(comparison=self.managed())
        return Response(status=status.HTTP_204_NO_CONTENT)


class GoldItemViewSet(OfManagedCampaign):
    """Gold items of a campaign."""

    queryset = Comparison.objects.filter(gold__isnull=False).order_by("pk")
    serializer_class = GoldSerializer
    filters = {"prompt": by_id("prompt"), "is_qualification": by_flag("is_qualification")}

    def list(self, request: Request, campaign: int) -> Response:  # type: ignore[override] # it is in the address
        """List gold items with how often they were missed: one that everybody misses is a bad one."""
        self.gold_misses = dashboard(self.readable()).gold_misses
        return self.page(self.filter_queryset(self.get_queryset()))

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "gold_misses": getattr(self, "gold_misses", {})}

    @extend_schema(request=UnanimousInput, responses=PromotedSerializer)
    def promote_unanimous(self, request: Request, campaign: int) -> Response:
        """Make comparisons gold about which several annotators said the same, without a tie."""
        found = self.managed()
        return Response({"num_promoted": gold.promote_unanimous(campaign=found, **self.read_input(UnanimousInput))})


class GoldCandidateViewSet(OfManagedCampaign):
    """Comparisons that could become gold items."""

    queryset = Comparison.objects.all()
    serializer_class = GoldCandidateSerializer

    def list(self, request: Request, campaign: int) -> Response:  # type: ignore[override] # it is in the address
        """List candidates: adjudicated ones first, then those about which most annotators agree."""
        return self.page_of(candidates(self.readable(), limit=NUM_CANDIDATES))


class GoldViewSet(OfComparison):
    """One comparison as a gold item."""

    serializer_class = GoldSerializer

    @extend_schema(request=GoldInput)
    def mark(self, request: Request, pk: int) -> Response:
        """Make it a gold item with this answer, or change the answer."""
        comparison = self.managed()
        given = self.read_input(GoldInput)
        given["answer"] = adjudication.checked_answer(given["answer"], comparison)
        return self.show(gold.promote(comparison=comparison, **given))

    @extend_schema(responses={204: None})
    def unmark(self, request: Request, pk: int) -> Response:
        """Make it an ordinary comparison again."""
        gold.demote(comparison=self.managed())
        return Response(status=status.HTTP_204_NO_CONTENT)
