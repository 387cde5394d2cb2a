"""Evaluations over REST."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.jobs import JobViewSet
from accounts.api.listing import by_choice, by_id
from evaluation import services
from evaluation.api.serializers import EvaluationInput, EvaluationSerializer
from evaluation.models import EvaluationRun


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
