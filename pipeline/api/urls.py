"""REST addresses of this app."""

from django.urls import path

from accounts.api.viewsets import CANCEL, MANY, ONE
from pipeline.api.views import PipelineViewSet

urlpatterns = [
    path("pipelines", PipelineViewSet.as_view(MANY), name="api-pipelines"),
    path("pipelines/<int:pk>", PipelineViewSet.as_view(ONE), name="api-pipeline"),
    path("pipelines/<int:pk>/cancel", PipelineViewSet.as_view(CANCEL), name="api-cancel-pipeline"),
]
