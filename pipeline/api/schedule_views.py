"""Schedules of training over REST."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.listing import by_choice, by_flag, by_id, by_text
from accounts.api.viewsets import ApiViewSet
from pipeline.api.schedule_serializers import (
    DryRunSerializer,
    FiringSerializer,
    PlanInput,
    ScheduleInput,
    ScheduleSerializer,
)
from pipeline.models import ScheduleFiring, TrainingSchedule
from pipeline.schedules import dry_run, firings, services
from pipeline.schedules.plan import Plan

RELATED = ("workspace", "created_by", "time_task__crontab", "count_task", "current_model", "prompt_set", "judge")


class ScheduleViewSet(ApiViewSet):
    """Schedules that train the current model further and replace it by a better one."""

    queryset = TrainingSchedule.objects.select_related(*RELATED).prefetch_related("campaigns")
    serializer_class = ScheduleSerializer
    filters = {
        "workspace": by_id("workspace"),
        "is_active": by_flag("is_active"),
        "name": by_text("name__icontains"),
        "campaign": by_id("campaigns"),
    }
    orderings = ("created_at", "name")

    @extend_schema(request=ScheduleInput, responses={201: ScheduleSerializer})
    def create(self, request: Request) -> Response:
        """Make a schedule."""
        wanted = self.read_input(ScheduleInput)
        workspace, name = wanted.pop("workspace"), wanted.pop("name")
        access.require_engineer(self.user, workspace)
        made = services.create_schedule(workspace=workspace, name=name, plan=Plan(**wanted), user=self.user)
        return self.created(self.get_queryset().get(pk=made.pk))

    @extend_schema(request=PlanInput, responses=ScheduleSerializer)
    def update(self, request: Request, pk: int) -> Response:
        """Replace all settings from the next firing on; what is left out gets its default."""
        schedule = self._writable()
        wanted = self.read_input(PlanInput)
        services.change_schedule(schedule=schedule, name=wanted.pop("name"), plan=Plan(**wanted))
        return self.show(self.get_object())

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, pk: int) -> Response:
        """Remove it with its history; the models, runs and datasets that it made stay."""
        services.delete_schedule(schedule=self._writable())
        return Response(status=204)

    @extend_schema(request=None, responses=ScheduleSerializer)
    def pause(self, request: Request, pk: int) -> Response:
        """Fire no more by itself; a firing that runs goes on."""
        services.pause(schedule=self._writable())
        return self.show(self.get_object())

    @extend_schema(request=None, responses=ScheduleSerializer)
    def resume(self, request: Request, pk: int) -> Response:
        """Fire again, from now on."""
        services.resume(schedule=self._writable())
        return self.show(self.get_object())

    @extend_schema(request=None, responses={201: FiringSerializer})
    def run(self, request: Request, pk: int) -> Response:
        """Fire now.

        The firing is recorded as skipped while another one is under way.
        """
        firing = services.run_now(schedule=self._writable(), user=self.user)
        return Response(FiringSerializer(firing).data, status=201)

    @extend_schema(responses=DryRunSerializer)
    def dry_run(self, request: Request, pk: int) -> Response:
        """Say what it would do now, and on how many new judgments; nothing is done."""
        return Response(DryRunSerializer(dry_run.dry_run(self.get_object(), now=timezone.now())).data)

    def _writable(self) -> Any:
        schedule = self.get_object()
        access.require_engineer(self.user, schedule.workspace)
        return schedule


class FiringViewSet(ApiViewSet):
    """Each time that a schedule came to fire."""

    queryset = ScheduleFiring.objects.select_related("schedule__workspace", "created_by")
    serializer_class = FiringSerializer
    filters = {
        "status": by_choice("status", ScheduleFiring.Status.choices),
        "trigger": by_choice("trigger", ScheduleFiring.Trigger.choices),
    }
    orderings = ("created_at", "number")

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        if "schedule" in self.kwargs:
            return rows.filter(schedule=self.parent(TrainingSchedule, self.kwargs["schedule"]))
        return rows

    @extend_schema(request=None, responses=FiringSerializer)
    def cancel(self, request: Request, pk: int) -> Response:
        """Stop it and the job that it waits for."""
        firing = self.get_object()
        access.require_engineer(self.user, firing.schedule.workspace)
        firings.cancel(firing=firing)
        return self.show(self.get_object())

    @extend_schema(request=None, responses=FiringSerializer)
    def retry(self, request: Request, pk: int) -> Response:
        """Go on with one that failed, from the step that failed."""
        firing = self.get_object()
        access.require_engineer(self.user, firing.schedule.workspace)
        firings.retry(firing=firing)
        return self.show(self.get_object())
