"""Comparisons of originals with their revisions over REST."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.fields import InputSerializer, VisibleField
from accounts.api.viewsets import ApiViewSet
from annotation.api.serializers import MAX_OVERLAP, NumAddedSerializer
from annotation.models import Campaign
from annotation.revision_comparisons import add_revision_comparisons
from generation.models import RevisionRun


class RevisionComparisonsInput(InputSerializer):
    """Whose originals and revisions to compare."""

    revision_run = VisibleField(queryset=RevisionRun.objects.all())
    overlap: Any = serializers.IntegerField(
        min_value=1, max_value=MAX_OVERLAP, allow_null=True, default=None, help_text="The campaign's, unless given."
    )


class RevisionComparisonViewSet(ApiViewSet):
    """Comparisons of what a constitution made of replies."""

    queryset = Campaign.objects.all()
    serializer_class = NumAddedSerializer

    @extend_schema(request=RevisionComparisonsInput, responses={201: NumAddedSerializer})
    def create(self, request: Request, campaign: int) -> Response:
        """Compare each original with its last revision.

        Adding the same run again adds nothing twice.
        """
        target = self.parent(Campaign, campaign)
        access.require_manager(self.user, target.workspace)
        wanted = self.read_input(RevisionComparisonsInput)
        num_added = add_revision_comparisons(campaign=target, **wanted)
        return Response({"num_added": num_added}, status=status.HTTP_201_CREATED)
