"""What reward models say of candidates."""

from statistics import pvariance
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models import Workspace
from accounts.querysets import WorkspaceQuerySet
from core.models import Job
from generation.models.completions import Completion
from generation.models.language_models import LanguageModel
from generation.models.sampling import SamplingRun
from generation.querysets import CompletionScoreQuerySet


class ScoringRun(Job):
    """Scores the completions of a sampling run by a reward model. Training carries it out: it reads reward models."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="scoring_runs")
    name = models.CharField(max_length=120)
    sampling_run = models.ForeignKey(SamplingRun, on_delete=models.CASCADE, related_name="scoring_runs")
    reward_model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="scoring_runs")

    task_name: ClassVar[str] = "training.tasks.run_scoring"
    queue: ClassVar[str] = "gpu"

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_by_ensemble(self) -> bool:
        """Whether its scores are of several members, who may disagree."""
        return self.scores.exclude(members=[]).exists()


class CompletionScore(models.Model):
    """The score of one completion. Comparable within a run, to other completions of the same prompt."""

    run = models.ForeignKey(ScoringRun, on_delete=models.CASCADE, related_name="scores")
    completion = models.ForeignKey(Completion, on_delete=models.CASCADE, related_name="scores")
    value = models.FloatField()  # of the reward model's head, without a unit; of an ensemble the mean of its members
    members = ArrayField(models.FloatField(), default=list, db_default=[], blank=True)  # of an ensemble; else none

    objects = CompletionScoreQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "completion"], name="completion_scored_once_per_run"),
        ]

    def __str__(self) -> str:
        return f"{self.value:.3f}"

    @property
    def variance(self) -> float | None:
        """How far an ensemble's members are from their mean, mean square; None if a single head spoke."""
        return pvariance(self.members) if self.members else None

    @property
    def deviation(self) -> float | None:
        """The same in units of the score: its square root."""
        return None if self.variance is None else self.variance**0.5
