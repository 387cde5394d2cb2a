"""The abstract job row: the durable truth about a piece of background work. And what heavy jobs compute on."""

from typing import ClassVar

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Q


class Job(models.Model):
    """A durable unit of background work. `core.jobs` alone moves it."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"  # waits for a worker; its doorbell is rung again if nobody comes
        RUNNING = "running", "Running"  # claimed; its heartbeat must stay fresh
        FINISHED = "finished", "Finished"  # did all that it was asked to do
        FAILED = "failed", "Failed"  # failure_kind and error say why
        CANCELLED = "cancelled", "Cancelled"  # stopped because somebody asked
        PAUSED = "paused", "Paused"  # its state is saved, its devices are free; only kinds of `PausableJob`

    UNENDED = (Status.QUEUED, Status.RUNNING, Status.PAUSED)
    WITHOUT_PAUSE = tuple(choice for choice in Status.choices if choice[0] != "paused")

    status = models.CharField(max_length=12, choices=WITHOUT_PAUSE, default=Status.QUEUED, db_index=True)
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

    device_keys: tuple[str, ...] = ()  # what this attempt computes on; `core.devices` sets it

    class Meta:
        abstract = True

    def wanted_queue(self) -> str:
        """The queue of its doorbell; kinds whose runs differ decide it for each."""
        return self.queue

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


class PausableJob(Job):
    """A job that can save its state after its current step and go on from there another day. See `core.pauses`."""

    status = models.CharField(max_length=12, choices=Job.Status.choices, default=Job.Status.QUEUED, db_index=True)
    is_pause_requested = models.BooleanField(default=False)

    class Meta:
        abstract = True


class Device(models.Model):
    """What one job at a time computes on: a GPU, or a slot of a machine without one. The row is its lease as well.

    `core.device_leases` alone moves it.
    """

    class Kind(models.TextChoices):
        GPU = "gpu", "GPU"  # as nvidia-smi lists it
        CPU = "cpu", "CPU slot"  # CONCORD_CPU_SLOTS of them on a machine without a GPU

    key = models.CharField(max_length=200, unique=True)  # a GPU's UUID, the same in all containers; host/cpu-0
    kind = models.CharField(max_length=3, choices=Kind.choices)
    host = models.CharField(max_length=120)  # whose worker saw it last
    name = models.CharField(max_length=120)  # "0: NVIDIA H100 80GB HBM3"
    seen_at = models.DateTimeField()  # when a worker last looked for a device
    holder_model = models.CharField(max_length=80, blank=True)  # "training.TrainingRun"; empty: free
    holder_id = models.BigIntegerField(null=True, blank=True)
    attempt = models.PositiveIntegerField(null=True, blank=True)  # of the job: a later one takes it at once
    leased_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)  # moved on with the job's heartbeat

    class Meta:
        ordering = ["host", "key"]
        constraints = [
            models.CheckConstraint(
                condition=Q(holder_model="", holder_id=None, attempt=None, leased_at=None, leased_until=None)
                | ~Q(holder_model="")
                & Q(
                    holder_id__isnull=False, attempt__isnull=False, leased_at__isnull=False, leased_until__isnull=False
                ),
                name="device_leased_in_full_or_free",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.host}"

    @property
    def holder(self) -> str:
        """ "training run 12"; empty: free."""
        return job_in_words(self.holder_model, self.holder_id)


class DeviceWait(models.Model):
    """A job that found no free device. One whose worker was killed counts no longer once it has expired."""

    holder_model = models.CharField(max_length=80)  # "training.TrainingRun"
    holder_id = models.BigIntegerField()
    num_wanted = models.PositiveSmallIntegerField()
    keys = models.JSONField()  # of the devices that would do
    since = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["since", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["holder_model", "holder_id"], name="a_job_waits_once"),
        ]

    def __str__(self) -> str:
        return f"{self.holder} waits"

    @property
    def holder(self) -> str:
        """ "training run 12" """
        return job_in_words(self.holder_model, self.holder_id)


def job_in_words(label: str, pk: int | None) -> str:
    """ "training run 12" for "training.TrainingRun" and 12; empty for no job."""
    return f"{apps.get_model(label)._meta.verbose_name} {pk}" if label else ""
