"""Sweeps: training runs that differ in a few settings only."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Workspace
from accounts.querysets import VisibleMixin, WorkspaceQuerySet
from annotation.models import Dataset
from core.models import Job
from generation.models import LanguageModel, PromptSet
from training.models import TrainingRun


class TrainingSweep(models.Model):
    """A group of training runs, one for each combination of the swept values; all else is the same.

    It is no job: its runs are, and wait for devices like any others.
    """

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="training_sweeps")
    name = models.CharField(max_length=100)  # names of its runs begin with it
    algorithm = models.CharField(max_length=8, choices=TrainingRun.Algorithm.choices)
    grid = models.JSONField()  # {"beta": [0.05, 0.1]}: the values that the swept settings take
    config = models.JSONField(default=dict, blank=True)  # what else differs from the algorithm's defaults
    seed = models.PositiveBigIntegerField(default=0)  # of the first run of each point
    num_seeds = models.PositiveSmallIntegerField(default=1)  # runs of each point
    dataset = models.ForeignKey(
        Dataset, null=True, blank=True, on_delete=models.PROTECT, related_name="training_sweeps"
    )
    prompt_set = models.ForeignKey(
        PromptSet, null=True, blank=True, on_delete=models.PROTECT, related_name="training_sweeps"
    )
    init_model = models.ForeignKey(LanguageModel, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    reward_model = models.ForeignKey(LanguageModel, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(num_seeds__gte=1), name="points_of_a_sweep_have_runs"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_ended(self) -> bool:
        """Whether no run of it waits or runs."""
        return not self.swept_runs.filter(run__status__in=Job.UNENDED).exists()


class SweptRunQuerySet(VisibleMixin):
    """Runs of sweeps reach their workspace through their sweep."""

    workspace_path = "sweep__workspace"


class SweptRun(models.Model):
    """A training run as a part of a sweep."""

    sweep = models.ForeignKey(TrainingSweep, on_delete=models.CASCADE, related_name="swept_runs")
    number = models.PositiveSmallIntegerField()  # from 1, in the order of the grid
    run = models.OneToOneField(TrainingRun, on_delete=models.CASCADE, related_name="swept")
    values = models.JSONField()  # {"beta": 0.05}: its point

    objects = SweptRunQuerySet.as_manager()

    class Meta:
        ordering = ["sweep", "number"]
        constraints = [
            models.UniqueConstraint(fields=["sweep", "number"], name="number_once_in_a_sweep"),
        ]

    def __str__(self) -> str:
        return f"{self.number} of {self.sweep_id}"
