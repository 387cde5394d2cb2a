"""REST addresses of this app."""

from typing import Any

from django.urls import path

from accounts.api.viewsets import CANCEL, LIST, MANY, ONE
from pipeline.api.round_views import RoundViewSet
from pipeline.api.schedule_views import FiringViewSet, ScheduleViewSet
from pipeline.api.sweep_views import SweepViewSet
from pipeline.api.views import PipelineViewSet

CHANGEABLE: dict[str, Any] = {**ONE, "put": "update", "delete": "destroy"}

urlpatterns = [
    path("pipelines", PipelineViewSet.as_view(MANY), name="api-pipelines"),
    path("pipelines/<int:pk>", PipelineViewSet.as_view(ONE), name="api-pipeline"),
    path("pipelines/<int:pk>/cancel", PipelineViewSet.as_view(CANCEL), name="api-cancel-pipeline"),
    path("rounds", RoundViewSet.as_view(MANY), name="api-rounds"),
    path("rounds/<int:pk>", RoundViewSet.as_view(ONE), name="api-round"),
    path("training-schedules", ScheduleViewSet.as_view(MANY), name="api-schedules"),
    path("training-schedules/<int:pk>", ScheduleViewSet.as_view(CHANGEABLE), name="api-schedule"),
    path("training-schedules/<int:pk>/pause", ScheduleViewSet.as_view({"post": "pause"}), name="api-pause-schedule"),
    path("training-schedules/<int:pk>/resume", ScheduleViewSet.as_view({"post": "resume"}), name="api-resume-schedule"),
    path("training-schedules/<int:pk>/run", ScheduleViewSet.as_view({"post": "run"}), name="api-run-schedule"),
    path(
        "training-schedules/<int:pk>/dry-run", ScheduleViewSet.as_view({"get": "dry_run"}), name="api-dry-run-schedule"
    ),
    path("training-schedules/<int:schedule>/firings", FiringViewSet.as_view(LIST), name="api-firings"),
    path("schedule-firings/<int:pk>", FiringViewSet.as_view(ONE), name="api-firing"),
    path("schedule-firings/<int:pk>/cancel", FiringViewSet.as_view(CANCEL), name="api-cancel-firing"),
    path("schedule-firings/<int:pk>/retry", FiringViewSet.as_view({"post": "retry"}), name="api-retry-firing"),
    path("training-sweeps", SweepViewSet.as_view(MANY), name="api-sweeps"),
    path("training-sweeps/<int:pk>", SweepViewSet.as_view(ONE), name="api-sweep"),
    path("training-sweeps/<int:pk>/cancel", SweepViewSet.as_view(CANCEL), name="api-cancel-sweep"),
]
