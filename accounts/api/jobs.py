"""What runs of every kind show, and how they are cancelled."""

from collections.abc import Sequence
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import access
from accounts.api.listing import by_choice, by_id, by_text
from accounts.api.viewsets import ApiViewSet
from core import device_leases, jobs
from core.models import Job

JOB_FIELDS = [
    "status",
    "progress",
    "num_done",
    "num_total",
    "attempt",
    "failure_kind",
    "error",
    "is_cancel_requested",
    "waits_for",
    "created_by",
    "created_at",
    "queued_at",
    "started_at",
    "heartbeat_at",
    "finished_at",
    "seconds",
]


class JobSerializer(serializers.ModelSerializer[Any]):
    """The columns of a job. Subclasses add `JOB_FIELDS` to their own."""

    progress = serializers.FloatField(read_only=True, help_text="The share done, from 0 to 1.")
    seconds = serializers.FloatField(
        read_only=True, allow_null=True, help_text="How long it ran, or has run until its last heartbeat."
    )
    waits_for = serializers.SerializerMethodField(
        help_text="Of a running job that waits for a device: who holds those that would do, until when. Else empty."
    )
    created_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)

    def get_waits_for(self, job: Any) -> str:
        """Those of a whole list are read at once."""
        if job.status != Job.Status.RUNNING:
            return ""
        context: dict[str, Any] = self.context  # type: ignore[assignment] # the one of the whole list
        if "waits" not in context:
            context["waits"] = {(one.holder_model, one.holder_id): one for one in device_leases.waiting()}
        waiter = context["waits"].get((job._meta.label, job.pk))
        return device_leases.in_words(waiter) if waiter else ""


class JobViewSet(ApiViewSet):
    """Runs of one kind: managers and engineers of their workspace may cancel them."""

    filters = {
        "workspace": by_id("workspace"),
        "status": by_choice("status", Job.Status.choices),
        "name": by_text("name__icontains"),
    }
    orderings: ClassVar[Sequence[str]] = ("created_at", "finished_at", "name", "status")

    def workspace_of(self, job: Any) -> Any:
        return job.workspace

    @extend_schema(request=None)
    def cancel(self, request: Request, pk: int) -> Response:
        """Cancel it: at once if it waits, after its current step if it runs."""
        job = self.get_object()
        access.require_engineer(request.user, self.workspace_of(job))
        jobs.request_cancel(job)
        return self.show(self.get_object())
