"""Evaluation runs: what was measured, on what, with which interval."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import Workspace
from annotation.models import Annotator, Dataset
from core.models import Job
from evaluation.querysets import EvaluationRunQuerySet, ResultQuerySet
from generation.models import LanguageModel, SamplingRun


class EvaluationRun(Job):
    """One measurement of one or more models."""

    class Kind(models.TextChoices):
        WIN_RATE = "win_rate", "Win rate"  # completions of a sampling run against the baseline's, by a judge
        PREFERENCE_ACCURACY = (
            "preference_accuracy",
            "Preference accuracy",
        )  # on the held-out pairs of a dataset

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="evaluation_runs")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=24, choices=Kind.choices)
    subjects = models.ManyToManyField(LanguageModel, related_name="evaluation_runs")  # the models measured
    baseline = models.ForeignKey(
        LanguageModel, null=True, blank=True, on_delete=models.PROTECT, related_name="baseline_of"
    )  # the model beaten, or the reference of an implicit reward
    sampling_run = models.ForeignKey(
        SamplingRun, null=True, blank=True, on_delete=models.PROTECT, related_name="evaluation_runs"
    )
    judge = models.ForeignKey(
        Annotator, null=True, blank=True, on_delete=models.PROTECT, related_name="evaluation_runs"
    )
    dataset = models.ForeignKey(
        Dataset, null=True, blank=True, on_delete=models.PROTECT, related_name="evaluation_runs"
    )
    seed = models.PositiveBigIntegerField(default=0)  # of the bootstrap

    task_name: ClassVar[str] = "evaluation.tasks.run_evaluation"
    queue: ClassVar[str] = "gpu"

    objects = EvaluationRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="win_rate")
                | Q(sampling_run__isnull=False, judge__isnull=False, baseline__isnull=False),
                name="win_rates_have_samples_judge_and_baseline",
            ),
            models.CheckConstraint(
                condition=~Q(kind="preference_accuracy") | Q(dataset__isnull=False),
                name="preference_accuracy_has_a_dataset",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class EvaluationResult(models.Model):
    """One number with its interval, its n, and its policy for ties."""

    run = models.ForeignKey(EvaluationRun, on_delete=models.CASCADE, related_name="results")
    model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="evaluation_results")
    metric = models.CharField(max_length=40)  # "win_rate", "accuracy", "margin"
    value = models.FloatField()
    low = models.FloatField()  # 95 % interval, resampled by prompt
    high = models.FloatField()
    num_prompts = models.PositiveIntegerField()
    num_items = models.PositiveIntegerField()  # comparisons or pairs behind the number
    details = models.JSONField(default=dict, blank=True)  # wins, ties, losses, tie policy, resamples, seed

    objects = ResultQuerySet.as_manager()

    class Meta:
        ordering = ["run", "metric", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "model", "metric"], name="one_result_per_model_and_metric"),
            models.CheckConstraint(
                condition=Q(low__lte=models.F("value")) & Q(high__gte=models.F("value")),
                name="value_inside_its_interval",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.metric} of {self.model}: {self.value:.3f}"
