"""Datasets and imports of preference pairs over REST."""

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.jobs import JobViewSet
from accounts.api.listing import by_choice, by_id
from accounts.api.parsers import JsonLinesParser
from accounts.api.viewsets import ApiViewSet
from annotation import services
from annotation.api import dataset_files
from annotation.api.dataset_serializers import (
    DatasetInput,
    DatasetSerializer,
    DownloadQuery,
    PairImportQuery,
    PairImportSerializer,
    RowsSerializer,
)
from annotation.models import Campaign, Dataset
from annotation.pair_import import import_preference_pairs


class DatasetViewSet(JobViewSet):
    """Datasets: frozen, hashed exports."""

    queryset = Dataset.objects.select_related("created_by", "workspace").prefetch_related("campaigns")
    serializer_class = DatasetSerializer
    filters = {
        **JobViewSet.filters,
        "kind": by_choice("kind", Dataset.Kind.choices),
        "campaign": by_id("campaigns"),
    }
    orderings = (*JobViewSet.orderings, "num_rows")

    @extend_schema(request=DatasetInput, responses={201: DatasetSerializer})
    def create(self, request: Request) -> Response:
        """Freeze a dataset.

        It can be downloaded once its status is finished.
        """
        wanted = self.read_input(DatasetInput)
        access.require_engineer(self.user, wanted["workspace"])
        dataset = services.start_freeze(**wanted, user=self.user)
        return self.created(self.get_queryset().get(pk=dataset.pk))

    @extend_schema(
        parameters=[
            OpenApiParameter("limit", int, description="Rows a page, at most 1,000."),
            OpenApiParameter("offset", int, description="Rows before the page."),
        ],
        responses=RowsSerializer,
        filters=False,
    )
    def rows(self, request: Request, pk: int) -> Response:
        """Rows of a finished dataset, in file order."""
        page = self.paginate_queryset(dataset_files.rows_of(self.get_object()))
        return self.get_paginated_response(page)

    @extend_schema(
        parameters=[OpenApiParameter("format", enum=["parquet", "jsonl"], default="parquet")],
        responses={
            (200, "application/vnd.apache.parquet"): OpenApiTypes.BINARY,
            (200, "application/x-ndjson"): OpenApiTypes.BINARY,
            304: OpenApiResponse(description="The client's copy has the ETag that it sent."),
        },
    )
    def download(self, request: Request, pk: int) -> HttpResponseBase:
        """Download the whole file.

        It is streamed, and its ETag is the file's SHA-256.
        """
        dataset = self.get_object()
        return dataset_files.download(request._request, dataset, self.read_query(DownloadQuery)["format"])


class PairImportViewSet(ApiViewSet):
    """Imports of preference pairs that were collected elsewhere."""

    queryset = Campaign.objects.all()
    serializer_class = PairImportSerializer
    parser_classes = [JsonLinesParser]

    @extend_schema(
        operation_id="preference_pairs_import",
        parameters=[PairImportQuery],
        request={"application/x-ndjson": OpenApiTypes.STR},
        responses={201: PairImportSerializer},
    )
    def create(self, request: Request) -> Response:
        """Import preference pairs as JSON Lines.

        The hh-rlhf or TRL layout becomes a closed campaign: all or nothing, and importing it again adds nothing.
        """
        wanted = self.read_query(PairImportQuery)
        access.require_manager(self.user, wanted["workspace"])
        is_skipping = wanted.pop("skip_malformed")
        report = import_preference_pairs(
            **wanted, lines=request.data, is_skipping_malformed=is_skipping, user=self.user
        )
        return self.show(report, status_code=status.HTTP_201_CREATED)
