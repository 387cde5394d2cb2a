"""Evaluations over REST."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.jobs import JobViewSet
from accounts.api.listing import by_choice, by_id
from accounts.api.viewsets import ApiViewSet
from evaluation import services
from evaluation.api.serializers import EvaluationInput, EvaluationSerializer, JudgedPairSerializer
from evaluation.models import EvaluationRun, JudgedPair


class EvaluationViewSet(JobViewSet):
    """Evaluations: win rates and accuracies, each with its interval."""

    queryset = EvaluationRun.objects.select_related("created_by", "workspace").prefetch_related(
        "subjects", "results__model"
    )
    serializer_class = EvaluationSerializer
    filters = {
        **JobViewSet.filters,
        "kind": by_choice("kind", EvaluationRun.Kind.choices),
        "subject": by_id("subjects"),
    }

    @extend_schema(request=EvaluationInput, responses={201: EvaluationSerializer})
    def create(self, request: Request) -> Response:
        """Start an evaluation."""
        wanted = self.read_input(EvaluationInput)
        access.require_engineer(self.user, wanted["workspace"])
        run = services.start_evaluation(**wanted, user=self.user)
        return self.created(self.get_queryset().get(pk=run.pk))


class JudgedPairViewSet(ApiViewSet):
    """What an LLM judge said of each two completions; its calls are at `judge-calls`."""

    queryset = JudgedPair.objects.select_related("ours").prefetch_related("calls")
    serializer_class = JudgedPairSerializer
    filters = {"state": by_choice("state", JudgedPair.State.choices), "subject": by_id("subject")}
    orderings = ("id", "outcome")

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        return rows.filter(run=self.parent(EvaluationRun, self.kwargs["run"])) if "run" in self.kwargs else rows
