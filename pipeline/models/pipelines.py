"""A pipeline run and its steps."""

from django.db import models

from accounts.models import Workspace
from accounts.querysets import VisibleMixin, WorkspaceQuerySet


class PipelineRun(models.Model):
    """One pass from prompts to evaluated policies; its steps own the runs."""

    class Status(models.TextChoices):
        RUNNING = "running", "Running"  # some step is not finished
        FINISHED = "finished", "Finished"  # every step is
        FAILED = "failed", "Failed"  # a step failed: its error says why
        CANCELLED = "cancelled", "Cancelled"  # stopped because somebody asked

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="pipeline_runs")
    name = models.CharField(max_length=120)
    options = models.JSONField(default=dict)  # pipeline.options.PipelineOptions
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.RUNNING, db_index=True)
    advanced_at = models.DateTimeField(null=True, blank=True)  # when somebody last looked after it
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name


class StepQuerySet(VisibleMixin):
    """Steps reach their workspace through their pipeline run."""

    workspace_path = "pipeline_run__workspace"


class PipelineStep(models.Model):
    """One step: which rows it made, what came out."""

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"  # an earlier step is not finished
        RUNNING = "running", "Running"  # its jobs are under way
        FINISHED = "finished", "Finished"  # summary is written
        FAILED = "failed", "Failed"  # error says why

    pipeline_run = models.ForeignKey(PipelineRun, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=40)  # the name in pipeline.steps
    title = models.CharField(max_length=120)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.WAITING)
    jobs = models.JSONField(default=list, blank=True)  # [["training.trainingrun", 7], …]
    outputs = models.JSONField(default=dict, blank=True)  # ids that later steps read, e.g. {"campaign": 3}
    summary = models.CharField(max_length=400, blank=True)  # one line for people
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = StepQuerySet.as_manager()

    class Meta:
        ordering = ["pipeline_run", "number"]
        constraints = [
            models.UniqueConstraint(fields=["pipeline_run", "number"], name="step_number_once"),
            models.UniqueConstraint(fields=["pipeline_run", "key"], name="step_key_once"),
        ]

    def __str__(self) -> str:
        return self.title
