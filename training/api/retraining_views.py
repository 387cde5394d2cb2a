"""Training again without some annotators, over REST."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.fields import InputSerializer, VisibleField
from accounts.api.jobs import JOB_FIELDS, JobSerializer, JobViewSet
from accounts.api.listing import by_id
from annotation.models import Annotator
from training import retraining
from training.models import Retraining, TrainingRun


class RetrainingInput(InputSerializer):
    """Whom to leave out."""

    annotators = VisibleField(queryset=Annotator.objects.all(), many=True)
    name = serializers.CharField(max_length=120, default="", help_text="Of the new run; it says who is missing.")


class RetrainingSerializer(JobSerializer):
    """A retraining: what it left out, what that changed, and the new run."""

    changes = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Rows before and after; removed, added, turned to the other reply, reweighted.",
    )

    class Meta:
        model = Retraining
        fields = ["id", "workspace", "name", "origin", "excluded", "dataset", "run", "changes", *JOB_FIELDS]


class RetrainingViewSet(JobViewSet):
    """Runs that were trained again without some annotators."""

    queryset = Retraining.objects.select_related("created_by", "workspace").prefetch_related("excluded")
    serializer_class = RetrainingSerializer
    filters = {**JobViewSet.filters, "origin": by_id("origin")}

    @extend_schema(request=RetrainingInput, responses={201: RetrainingSerializer})
    def start(self, request: Request, run: int) -> Response:
        """Freeze the run's dataset without these annotators, and train on it with everything else as it was."""
        origin = self.parent(TrainingRun, run)
        access.require_engineer(self.user, origin.workspace)
        wanted = self.read_input(RetrainingInput)
        return self.created(retraining.start_retraining(run=origin, **wanted, user=self.user))
