"""Training runs, metrics and checkpoints over REST."""

from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.jobs import JobViewSet
from accounts.api.listing import Filter, LongPages, by_choice, by_flag, by_id
from accounts.api.viewsets import ApiViewSet
from core import pauses
from generation.api.serializers import ModelSerializer
from training import model_export, services
from training.api.serializers import (
    CheckpointSerializer,
    DataReportInput,
    DataReportSerializer,
    EstimateSerializer,
    ExportQuery,
    LineageSerializer,
    MetricSerializer,
    ModelCardSerializer,
    PublishInput,
    SampleTextSerializer,
    TrainingRunInput,
    TrainingRunListSerializer,
    TrainingRunSerializer,
)
from training.archive_response import archive_response
from training.lineage import lineage_of
from training.model_card import model_card
from training.models import Checkpoint, DataReport, Metric, SampleText, TrainingRun


class TrainingRunViewSet(JobViewSet):
    """Training runs."""

    queryset = TrainingRun.objects.select_related("created_by", "workspace")
    serializer_class = TrainingRunSerializer
    list_serializer_class = TrainingRunListSerializer
    filters = {
        **JobViewSet.filters,
        "algorithm": by_choice("algorithm", TrainingRun.Algorithm.choices),
        "dataset": by_id("dataset"),
    }

    @extend_schema(request=TrainingRunInput, responses={201: TrainingRunSerializer})
    def create(self, request: Request) -> Response:
        """Start a training run."""
        wanted = self.read_input(TrainingRunInput)
        access.require_engineer(self.user, wanted["workspace"])
        return self.created(services.start_training_run(**wanted, user=self.user))

    @extend_schema(request=None)
    def pause(self, request: Request, pk: int) -> Response:
        """Pause it: at once if it waits, after its current step and a checkpoint if it runs.

        Its device is free from then on.
        """
        run = self.get_object()
        access.require_engineer(request.user, run.workspace)
        pauses.request_pause(run)
        return self.show(self.get_object())

    @extend_schema(request=None)
    def resume(self, request: Request, pk: int) -> Response:
        """Let a paused, failed or cancelled run go on from its newest checkpoint."""
        run = self.get_object()
        access.require_engineer(request.user, run.workspace)
        pauses.resume(run)
        return self.show(self.get_object())

    @extend_schema(request=TrainingRunInput, responses=EstimateSerializer)
    def estimate(self, request: Request) -> Response:
        """What a run of this body would need.

        Nothing is started.
        """
        wanted = self.read_input(TrainingRunInput)
        access.require_engineer(self.user, wanted["workspace"])
        return Response(EstimateSerializer(services.estimate_of(**wanted)).data)

    @extend_schema(request=None, responses=ModelCardSerializer)
    def card(self, request: Request, pk: int) -> Response:
        """The model card."""
        return Response({"markdown": model_card(self.get_object())})


class DataReportViewSet(JobViewSet):
    """Reports on data before they are trained on."""

    queryset = DataReport.objects.select_related("created_by", "workspace")
    serializer_class = DataReportSerializer
    filters = {
        "workspace": JobViewSet.filters["workspace"],
        "status": JobViewSet.filters["status"],
        "algorithm": by_choice("algorithm", TrainingRun.Algorithm.choices),
        "dataset": by_id("dataset"),
    }
    orderings = ("created_at", "finished_at", "status")

    @extend_schema(request=DataReportInput, responses={201: DataReportSerializer})
    def create(self, request: Request) -> Response:
        """Ask for a report; the same question twice has one answer."""
        wanted = self.read_input(DataReportInput)
        data = wanted["dataset"] or wanted["prompt_set"]
        if data is not None:
            access.require_engineer(self.user, data.workspace)
        return self.created(services.report_on_data(**wanted, user=self.user))


class OfRunViewSet(ApiViewSet):
    """Rows that hang under a training run's address."""

    orderings = ("step",)

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(run=self.kwargs.get("run"))

    def list(self, request: Request, run: int) -> Response:  # type: ignore[override] # the run is in the address
        self.parent(TrainingRun, run)
        return self.page(self.filter_queryset(self.get_queryset()))


class MetricViewSet(OfRunViewSet):
    """The metrics of a run, oldest first.

    Poll with `since`, the last step that you have.
    """

    queryset = Metric.objects.order_by("step", "pk")
    serializer_class = MetricSerializer
    pagination_class = LongPages
    filters = {
        "since": Filter("step__gt", serializers.IntegerField(min_value=0, max_value=2**31 - 1)),
        "kind": by_choice("kind", Metric.Kind.choices),
    }


class SampleTextViewSet(OfRunViewSet):
    """Texts that the policy wrote during a run."""

    queryset = SampleText.objects.order_by("step", "pk")
    serializer_class = SampleTextSerializer


class CheckpointViewSet(OfRunViewSet):
    """The checkpoints of a run."""

    queryset = Checkpoint.objects.select_related("run__workspace").order_by("step")
    serializer_class = CheckpointSerializer
    filters = {"is_final": by_flag("is_final")}

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset() if "run" in self.kwargs else ApiViewSet.get_queryset(self)

    @extend_schema(responses=LineageSerializer, filters=False)
    def lineage(self, request: Request, pk: int) -> Response:
        """What a checkpoint rests on: runs, frozen datasets, campaigns, sampling runs and models, as a graph.

        `from` rests on `to`; the rows of a dataset and their judgments are at `/datasets/{id}/judgments`.
        """
        return Response(lineage_of(self.get_object()).as_json())

    @extend_schema(
        parameters=[OpenApiParameter("form", enum=list(model_export.FORMS), default=model_export.MODEL)],
        responses={(200, "application/x-tar"): OpenApiTypes.BINARY},
        filters=False,
    )
    def export(self, request: Request, pk: int) -> StreamingHttpResponse:
        """Download it as a Hugging Face folder in a tar archive, streamed."""
        return archive_response(self.get_object(), self.read_query(ExportQuery)["form"])

    @extend_schema(request=PublishInput, responses={201: ModelSerializer})
    def publish(self, request: Request, pk: int) -> Response:
        """Make a checkpoint a language model.

        Publishing it again gives the same one.
        """
        checkpoint = self.parent(Checkpoint, pk)
        access.require_engineer(self.user, checkpoint.run.workspace)
        model = services.publish_checkpoint(checkpoint=checkpoint, **self.read_input(PublishInput))
        return Response(ModelSerializer(model).data, status=status.HTTP_201_CREATED)
