"""The abstract job row: the durable truth about a piece of background work."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class Job(models.Model):
    """A durable unit of background work. `core.jobs` alone moves it."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"  # waits for a worker; its doorbell is rung again if nobody comes
        RUNNING = "running", "Running"  # claimed; its heartbeat must stay fresh
        FINISHED = "finished", "Finished"  # did all that it was asked to do
        FAILED = "failed", "Failed"  # failure_kind and error say why
        CANCELLED = "cancelled", "Cancelled"  # stopped because somebody asked

    UNENDED = (Status.QUEUED, Status.RUNNING)

    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED, db_index=True)
    claimed_by = models.CharField(max_length=120, blank=True)  # host:pid of the worker
    attempt = models.PositiveIntegerField(default=0)  # the fencing token: writes of an older attempt are refused
    num_lost = models.PositiveIntegerField(default=0)  # attempts whose worker stopped without a word
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    num_done = models.PositiveBigIntegerField(default=0)
    num_total = models.PositiveBigIntegerField(default=0)  # 0: not yet known
    failure_kind = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    log_tail = models.TextField(blank=True)
    is_cancel_requested = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    # The doorbell: the task that claims a row of this model, and the queue that it waits in.
    task_name: ClassVar[str]
    queue: ClassVar[str] = "light"

    class Meta:
        abstract = True

    @property
    def has_ended(self) -> bool:
        return self.status not in self.UNENDED

    @property
    def progress(self) -> float:
        """The share done, from 0 to 1."""
        if self.status == self.Status.FINISHED:
            return 1.0
        return min(1.0, self.num_done / self.num_total) if self.num_total else 0.0

    @property
    def seconds(self) -> float | None:
        """How long it ran, or has run since its last heartbeat."""
        end = self.finished_at or self.heartbeat_at
        if self.started_at is None or end is None:
            return None
        return max(0.0, (end - self.started_at).total_seconds())
