"""What labelers do besides answering: skip, draft, renew, revise, read guidelines, opt out."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.fields import InputSerializer, ObjectField
from accounts.api.viewsets import ApiViewSet
from annotation import opt_outs, queue
from annotation.api.labeling_serializers import MAX_MILLISECONDS, ReceiptSerializer, ReleaseInput, SlotNumberField
from annotation.api.labeling_views import annotator_in, enrolled_campaigns, slot_of
from annotation.models import Campaign, Judgment, Slot


class SkipInput(ReleaseInput):
    """A task that the user does not want to answer."""

    reason = serializers.CharField(max_length=500, allow_blank=True, default="")


class SkippedSerializer(serializers.Serializer[Any]):
    """Whether the lease was held."""

    is_skipped = serializers.BooleanField()


class DraftInput(ReleaseInput):
    """An unfinished answer."""

    draft = ObjectField()


class SavedSerializer(serializers.Serializer[Any]):
    """Whether the lease was held."""

    is_saved = serializers.BooleanField()


class RenewedSerializer(serializers.Serializer[Any]):
    """The lease's new end."""

    leased_until = serializers.DateTimeField()


class RevisionInput(InputSerializer):
    """Another answer to a task that the user has answered; `tiers` speak of the places shown then."""

    answer = ObjectField()
    idempotency_key = serializers.CharField(max_length=64)
    active_ms = serializers.IntegerField(min_value=0, max_value=MAX_MILLISECONDS, default=0)
    total_ms = serializers.IntegerField(min_value=0, max_value=MAX_MILLISECONDS, default=0)


class AcknowledgeInput(InputSerializer):
    """A version of the guidelines that the user has read."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)


class OptOutsInput(InputSerializer):
    """Categories (tags of prompts; "sensitive" for all sensitive ones) that the user does not want to see."""

    categories = serializers.ListField(child=serializers.CharField(max_length=100), max_length=opt_outs.MAX_CATEGORIES)


class OwnJudgmentSerializer(serializers.ModelSerializer[Judgment]):
    """One of the user's own answers."""

    slot = SlotNumberField()

    class Meta:
        model = Judgment
        fields = ["id", "slot", "answer", "display_order", "active_ms", "created_at"]


class SlotActionViewSet(ApiViewSet):
    """Slots that the user holds."""

    queryset = Slot.objects.order_by("pk")
    serializer_class = SkippedSerializer

    @extend_schema(request=SkipInput, responses=SkippedSerializer)
    def skip(self, request: Request, pk: int) -> Response:
        """Give the task away for good: the user is not asked again."""
        given = self.read_input(SkipInput)
        return Response({"is_skipped": queue.skip_slot(slot_id=pk, annotator=slot_of(self.user, pk), **given)})

    @extend_schema(request=DraftInput, responses=SavedSerializer)
    def draft(self, request: Request, pk: int) -> Response:
        """Keep an unfinished answer with the slot."""
        given = self.read_input(DraftInput)
        return Response({"is_saved": queue.save_draft(slot_id=pk, annotator=slot_of(self.user, pk), **given)})

    @extend_schema(request=ReleaseInput, responses=RenewedSerializer)
    def renew(self, request: Request, pk: int) -> Response:
        """Prolong the lease. 409 if it has been lost."""
        given = self.read_input(ReleaseInput)
        return Response({"leased_until": queue.renew_lease(slot_id=pk, annotator=slot_of(self.user, pk), **given)})


class OwnJudgmentViewSet(ApiViewSet):
    """The user's own latest answers in a campaign; these can be revised."""

    queryset = Judgment.objects.order_by("pk")
    serializer_class = OwnJudgmentSerializer
    pagination_class = None

    def get_queryset(self) -> QuerySet[Any]:
        if not self.request.user.is_authenticated:
            return Judgment.objects.none()
        own = Judgment.objects.filter(annotator__user=self.user, slot__campaign__in=enrolled_campaigns(self.user))
        return own.order_by("pk")

    def list(self, request: Request, campaign: int) -> Response:  # type: ignore[override] # it is in the address
        found = get_object_or_404(enrolled_campaigns(self.user), pk=campaign)
        rows = queue.recent_judgments(campaign=found, annotator=annotator_in(found, self.user))
        return Response({"results": self.get_serializer(rows, many=True).data})

    @extend_schema(request=RevisionInput, responses={201: ReceiptSerializer})
    def revise(self, request: Request, pk: int) -> Response:
        """Replace one of the last ten answers. 409 if it is no longer one of them."""
        judgment = self.get_object()
        new = queue.revise_judgment(judgment_id=pk, annotator=judgment.annotator, **self.read_input(RevisionInput))
        return Response(ReceiptSerializer(new).data, status=status.HTTP_201_CREATED)


class OwnPlaceViewSet(ApiViewSet):
    """The user's own place in a campaign."""

    queryset = Campaign.objects.order_by("pk")
    serializer_class = AcknowledgeInput

    @extend_schema(request=AcknowledgeInput, responses={204: None})
    def acknowledge(self, request: Request, pk: int) -> Response:
        """Say that the guidelines have been read; a changed version has to be read again."""
        campaign = get_object_or_404(enrolled_campaigns(self.user), pk=pk)
        version = self.read_input(AcknowledgeInput)["version"]
        queue.acknowledge_guidelines(campaign=campaign, annotator=annotator_in(campaign, self.user), version=version)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=OptOutsInput, responses=OptOutsInput)
    def opt_out(self, request: Request, pk: int) -> Response:
        """Name the categories that are not to be served to the user, in all campaigns of the workspace."""
        campaign = get_object_or_404(enrolled_campaigns(self.user), pk=pk)
        annotator = annotator_in(campaign, self.user)
        opt_outs.set_opt_outs(annotator=annotator, **self.read_input(OptOutsInput))
        return Response({"categories": annotator.opt_outs})
