"""The labeler's part of the API: tasks, judgments, leases."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.viewsets import ApiViewSet
from annotation import queue
from annotation.api.labeling_serializers import (
    JudgmentInput,
    LabelingCampaignSerializer,
    NextTaskSerializer,
    ReceiptSerializer,
    ReleasedSerializer,
    ReleaseInput,
    task_of,
)
from annotation.models import Annotator, Campaign, Slot
from core.errors import ConcordError


class NotEnrolled(ConcordError):
    """The user may see the campaign but is no annotator of it."""

    status = 403
    title = "You are not enrolled"


def enrolled_campaigns(user: Any) -> QuerySet[Any]:
    """Campaigns in which the user annotates, paused or not, while a member of the workspace."""
    return Campaign.objects.filter(enrolments__annotator__user=user, workspace__memberships__user=user).order_by("pk")


def annotator_in(campaign: Campaign, user: Any) -> Annotator:
    """The user as an annotator of a campaign that they are enrolled in."""
    return Annotator.objects.get(workspace=campaign.workspace, user=user)


def slot_of(user: Any, pk: int) -> Annotator:
    """The user as an annotator of the slot's campaign. Raises 404 for everybody else."""
    slot = get_object_or_404(Slot.objects.filter(campaign__in=enrolled_campaigns(user)), pk=pk)
    return annotator_in(slot.campaign, user)


class LabelingCampaignViewSet(ApiViewSet):
    """The campaigns in which the user is an annotator."""

    queryset = Campaign.objects.order_by("pk")
    serializer_class = LabelingCampaignSerializer

    def get_queryset(self) -> QuerySet[Any]:
        return enrolled_campaigns(self.user) if self.request.user.is_authenticated else Campaign.objects.none()


class NextTaskViewSet(ApiViewSet):
    """The user's next task in a campaign."""

    queryset = Campaign.objects.order_by("pk")
    serializer_class = NextTaskSerializer

    def retrieve(self, request: Request, pk: int) -> Response:
        """Show the task that the user holds, if any; nothing is claimed."""
        campaign, annotator = self._place(pk)
        return self._answer(campaign, annotator, campaign.slots.open_lease_of(annotator.pk).first())

    @extend_schema(request=None)
    def claim(self, request: Request, pk: int) -> Response:
        """Claim the next task, or renew the lease on the one that the user holds."""
        campaign, annotator = self._place(pk)
        return self._answer(campaign, annotator, queue.claim_next_slot(campaign=campaign, annotator=annotator))

    def _place(self, pk: int) -> tuple[Campaign, Annotator]:
        """The campaign and the user as its annotator. Raises 404 for strangers, `NotEnrolled` for other readers."""
        campaign = enrolled_campaigns(self.user).filter(pk=pk).first()
        if campaign is None:
            self.parent(Campaign, pk)
            raise NotEnrolled("You are not enrolled in this campaign. Ask its manager to add you.")
        return campaign, annotator_in(campaign, self.user)

    def _answer(self, campaign: Campaign, annotator: Annotator, slot: Slot | None) -> Response:
        if slot is not None:
            return self.show({"task": task_of(slot), "reason": ""})
        return self.show({"task": None, "reason": queue.why_nothing(campaign=campaign, annotator=annotator)})


class SlotViewSet(ApiViewSet):
    """Slots that the user holds."""

    queryset = Slot.objects.order_by("pk")
    serializer_class = ReceiptSerializer

    @extend_schema(request=JudgmentInput, responses={201: ReceiptSerializer})
    def judge(self, request: Request, pk: int) -> Response:
        """Answer a leased slot.

        409 if the lease has been lost, 422 if the answer breaks a rule of the question.
        """
        annotator = slot_of(self.user, pk)
        judgment = queue.submit_judgment(slot_id=pk, annotator=annotator, **self.read_input(JudgmentInput))
        return self.created(judgment)

    @extend_schema(request=ReleaseInput, responses=ReleasedSerializer)
    def release(self, request: Request, pk: int) -> Response:
        """Give a leased slot back unanswered."""
        annotator, token = slot_of(self.user, pk), self.read_input(ReleaseInput)["token"]
        is_released = queue.release_slot(slot_id=pk, annotator=annotator, token=token)
        return Response({"is_released": is_released}, status=status.HTTP_200_OK)
