"""Scoring runs over REST."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.jobs import JobViewSet
from accounts.api.listing import LongPages, by_id
from accounts.api.viewsets import ApiViewSet
from generation import scoring_services as services
from generation.api.scoring_serializers import CompletionScoreSerializer, ScoringRunInput, ScoringRunSerializer
from generation.models import CompletionScore, ScoringRun


class ScoringRunViewSet(JobViewSet):
    """Scores of a sampling run's completions by a reward model."""

    queryset = ScoringRun.objects.select_related("created_by", "workspace")
    serializer_class = ScoringRunSerializer
    filters = {
        **JobViewSet.filters,
        "sampling_run": by_id("sampling_run"),
        "reward_model": by_id("reward_model"),
    }

    @extend_schema(request=ScoringRunInput, responses={201: ScoringRunSerializer})
    def create(self, request: Request) -> Response:
        """Start a scoring run.

        Comparisons may then be chosen by its scores: of each prompt's completions the widest apart, the closest, or
        those about which the members of a reward ensemble disagree most.
        """
        wanted = self.read_input(ScoringRunInput)
        access.require_engineer(self.user, wanted["workspace"])
        run = services.start_scoring_run(**wanted, user=self.user)
        return self.created(self.get_queryset().get(pk=run.pk))


class CompletionScoreViewSet(ApiViewSet):
    """The scores of a scoring run."""

    queryset = CompletionScore.objects.select_related("completion")
    serializer_class = CompletionScoreSerializer
    pagination_class = LongPages
    filters = {"prompt": by_id("completion__prompt"), "completion": by_id("completion")}
    orderings = ("id", "value")

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(run=self.kwargs.get("scoring_run"))

    def list(self, request: Request, scoring_run: int) -> Response:  # type: ignore[override] # the run is in the address
        self.parent(ScoringRun, scoring_run)
        return self.page(self.filter_queryset(self.get_queryset()))
