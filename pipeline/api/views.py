"""Pipelines over REST."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.listing import by_choice, by_id, by_text
from accounts.api.viewsets import ApiViewSet
from pipeline import services
from pipeline.api.serializers import PipelineInput, PipelineListSerializer, PipelineSerializer
from pipeline.models import PipelineRun
from pipeline.options import PipelineOptions


class PipelineViewSet(ApiViewSet):
    """Pipelines: whole passes from prompts to evaluated policies."""

    queryset = PipelineRun.objects.select_related("workspace").prefetch_related("steps")
    serializer_class = PipelineSerializer
    list_serializer_class = PipelineListSerializer
    filters = {
        "workspace": by_id("workspace"),
        "status": by_choice("status", PipelineRun.Status.choices),
        "name": by_text("name__icontains"),
    }
    orderings = ("created_at", "finished_at", "name")

    @extend_schema(request=PipelineInput, responses={201: PipelineSerializer})
    def create(self, request: Request) -> Response:
        """Start a pipeline."""
        wanted = self.read_input(PipelineInput)
        workspace, name = wanted.pop("workspace"), wanted.pop("name")
        access.require_manager(self.user, workspace)
        run = services.start_pipeline(workspace=workspace, name=name, options=PipelineOptions(**wanted), user=self.user)
        return self.created(run)

    @extend_schema(request=None)
    def cancel(self, request: Request, pk: int) -> Response:
        """Cancel it, and the jobs of its running step."""
        run = self.get_object()
        access.require_manager(self.user, run.workspace)
        services.cancel_pipeline(pipeline_run=run)
        return self.show(self.get_object())
