"""vLLM servers that somebody started from a page or over REST."""

from typing import ClassVar

from django.db import models

from accounts.models import Workspace
from accounts.querysets import WorkspaceQuerySet
from core.models import Job
from generation.models.language_models import LanguageModel


class ServingRun(Job):
    """A vLLM server for a model, from its start until somebody stops it. It runs beside its worker."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="serving_runs")
    name = models.CharField(max_length=140)
    model = models.ForeignKey(LanguageModel, on_delete=models.CASCADE, related_name="serving_runs")
    served = models.ForeignKey(
        LanguageModel, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )  # what samples and judges through it; null: it has not been healthy yet
    url = models.CharField(max_length=200, blank=True)  # while it is healthy

    task_name: ClassVar[str] = "generation.tasks.run_serving"
    queue: ClassVar[str] = "serving"

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["model"], condition=models.Q(status__in=["queued", "running"]), name="one_server_a_model"
            ),
        ]

    def __str__(self) -> str:
        return self.name
