"""Imports and exports of judgments over REST."""

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.upload_parsers import FILE_BODIES, FILE_PARSERS, uploaded_files
from accounts.api.viewsets import ApiViewSet
from annotation.api.exchange_serializers import (
    JudgmentExportQuery,
    JudgmentImportQuery,
    JudgmentImportSerializer,
    JudgmentPreviewQuery,
    JudgmentPreviewSerializer,
)
from annotation.judgment_export import service as exporting
from annotation.judgment_export.schema import CONTENT_TYPES
from annotation.judgment_import import service as importing
from annotation.models import Campaign


class JudgmentImportViewSet(ApiViewSet):
    """Imports of judgments that were collected elsewhere."""

    queryset = Campaign.objects.all()
    serializer_class = JudgmentImportSerializer
    parser_classes = [*FILE_PARSERS, MultiPartParser]

    @extend_schema(
        operation_id="judgments_import",
        parameters=[JudgmentImportQuery],
        request=FILE_BODIES,
        responses={201: JudgmentImportSerializer},
    )
    def create(self, request: Request) -> Response:
        """Import judgments.

        One file, or several as parts named `file`, become a closed campaign: all or nothing, and importing them again
        adds nothing.
        """
        wanted = self.read_query(JudgmentImportQuery)
        access.require_manager(self.user, wanted["workspace"])
        report = importing.import_judgments(**wanted, files=uploaded_files(request), user=self.user)
        return self.show(report, status_code=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="judgments_preview",
        parameters=[JudgmentPreviewQuery],
        request=FILE_BODIES,
        responses=JudgmentPreviewSerializer,
    )
    def preview(self, request: Request) -> Response:
        """Show what an import would make of the first rows.

        Nothing is stored.
        """
        wanted = self.read_query(JudgmentPreviewQuery)
        access.require_manager(self.user, wanted["workspace"])
        found = importing.preview_judgments(
            files=uploaded_files(request), layout=wanted.get("layout"), num_rows=wanted["rows"]
        )
        return Response(JudgmentPreviewSerializer(found).data)


class JudgmentExportViewSet(ApiViewSet):
    """Exports of judgments."""

    queryset = Campaign.objects.all()

    @extend_schema(
        operation_id="judgments_export",
        parameters=[JudgmentExportQuery],
        responses={(200, content_type): OpenApiTypes.BINARY for content_type in CONTENT_TYPES.values()},
        filters=False,
    )
    def download(self, request: Request) -> StreamingHttpResponse:
        """Download judgments.

        They are streamed by rising id, in the columns of docs/reference/judgment-export.md.
        """
        wanted = self.read_query(JudgmentExportQuery)
        campaign = wanted.pop("campaign", None)
        campaigns = list(self.get_queryset()) if campaign is None else [self.parent(Campaign, campaign)]
        export = exporting.export_judgments(
            campaigns=campaigns,
            file_format=wanted.pop("format"),
            is_current_only=wanted.pop("is_current"),
            **wanted,
        )
        return streamed(export)


def streamed(export: exporting.JudgmentExport) -> StreamingHttpResponse:
    """A download that is made while it is sent."""
    headers = {
        "Content-Disposition": str(content_disposition_header(True, export.name)),
        "Cache-Control": "private, no-store",
    }
    return StreamingHttpResponse(export.pieces, content_type=export.content_type, headers=headers)
