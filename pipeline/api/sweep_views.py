"""Sweeps over REST."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.listing import by_choice, by_id, by_text
from accounts.api.viewsets import ApiViewSet
from pipeline.api.sweep_serializers import SweepInput, SweepListSerializer, SweepSerializer
from pipeline.models import TrainingSweep
from pipeline.sweeps import services
from training.models import TrainingRun


class SweepViewSet(ApiViewSet):
    """Training runs that differ in a few settings, side by side."""

    queryset = TrainingSweep.objects.select_related("workspace", "created_by")
    serializer_class = SweepSerializer
    list_serializer_class = SweepListSerializer
    filters = {
        "workspace": by_id("workspace"),
        "name": by_text("name__icontains"),
        "algorithm": by_choice("algorithm", TrainingRun.Algorithm.choices),
        "dataset": by_id("dataset"),
    }
    orderings = ("created_at", "name")

    @extend_schema(request=SweepInput, responses={201: SweepSerializer})
    def create(self, request: Request) -> Response:
        """Queue one training run for each combination of the values."""
        wanted = self.read_input(SweepInput)
        access.require_engineer(self.user, wanted["workspace"])
        return self.created(services.start_sweep(**wanted, user=self.user))

    @extend_schema(request=None, responses=SweepSerializer)
    def cancel(self, request: Request, pk: int) -> Response:
        """Cancel its runs: at once those that wait, after their current step those that run."""
        sweep = self.get_object()
        access.require_engineer(self.user, sweep.workspace)
        services.cancel_sweep(sweep=sweep)
        return self.show(self.get_object())
