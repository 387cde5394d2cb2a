"""Evaluation runs: what was measured, on what, with which interval."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import Workspace
from annotation.models import Annotator, Dataset, JudgeCall, JudgeVersion
from core.models import Job
from evaluation.querysets import EvaluationRunQuerySet, OfRunQuerySet, PairCallQuerySet
from generation.models import Completion, LanguageModel, SamplingRun, ScoringRun


class EvaluationRun(Job):
    """One measurement of one or more models."""

    class Kind(models.TextChoices):
        WIN_RATE = "win_rate", "Win rate"  # completions of a sampling run against the baseline's, by a judge
        PREFERENCE_ACCURACY = (
            "preference_accuracy",
            "Preference accuracy",
        )  # on the held-out pairs of a dataset

    class Conflict(models.TextChoices):
        TIE = "tie", "a tie"  # as MT-Bench does
        ABSTAIN = "abstain", "left out"  # and counted apart
        KEEP_BOTH = "keep_both", "half a comparison each"  # won in one order and level in the other is 3/4
        MEAN = "mean", "settled by their mean"  # of probabilities, points or ranks

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
    scoring_run = models.ForeignKey(
        ScoringRun, null=True, blank=True, on_delete=models.PROTECT, related_name="evaluation_runs"
    )  # the baseline shows the best of its replies by these scores; null: it shows all of them
    judge = models.ForeignKey(
        Annotator, null=True, blank=True, on_delete=models.PROTECT, related_name="evaluation_runs"
    )
    judge_version = models.ForeignKey(
        JudgeVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="evaluation_runs"
    )  # null: a scripted judge
    conflict = models.CharField(
        max_length=9, choices=Conflict.choices, default="", blank=True
    )  # what two orders of a pair that disagree count as; empty without a version
    uses_managed_server = models.BooleanField(default=False)  # a vLLM server of Concord's, while the judge is asked
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
                condition=Q(scoring_run__isnull=True) | Q(kind="win_rate"), name="only_win_rates_take_the_best_of_n"
            ),
            models.CheckConstraint(
                condition=~Q(kind="preference_accuracy") | Q(dataset__isnull=False),
                name="preference_accuracy_has_a_dataset",
            ),
            models.CheckConstraint(
                condition=Q(uses_managed_server=False) | Q(judge_version__isnull=False),
                name="only_evaluations_by_a_model_have_servers",
            ),
            models.CheckConstraint(
                condition=Q(judge_version__isnull=True, conflict="") | Q(judge_version__isnull=False) & ~Q(conflict=""),
                name="judge_versions_have_a_conflict_policy",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class EvaluationResult(models.Model):
    """One number with its interval, its n, and its policy for ties."""

    run = models.ForeignKey(EvaluationRun, on_delete=models.CASCADE, related_name="results")
    model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="evaluation_results")
    metric = models.CharField(max_length=40)  # "win_rate", "flip_rate", "accuracy", "margin", …
    value = models.FloatField()
    low = models.FloatField()  # 95 % interval, resampled by prompt
    high = models.FloatField()
    num_prompts = models.PositiveIntegerField()
    num_items = models.PositiveIntegerField()  # comparisons or pairs behind the number
    details = models.JSONField(default=dict, blank=True)  # wins, ties, losses, tie policy, resamples, seed

    objects = OfRunQuerySet.as_manager()

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


class JudgedPair(models.Model):
    """A subject's completion beside the baseline's of the same prompt, and what an LLM judge said of the two."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"  # not asked yet
        JUDGED = "judged", "Judged"  # has an outcome
        CONFLICT = "conflict", "Left out"  # the orders disagree, and the policy leaves such pairs out
        UNPARSED = "unparsed", "Unparsed"  # an order has no verdict, or two of them
        REFUSED = "refused", "Refused"  # the model or its provider declined
        TRUNCATED = "truncated", "Truncated"  # a reply ended at its limit of tokens
        FAILED = "failed", "Failed"  # a request itself went wrong

    run = models.ForeignKey(EvaluationRun, on_delete=models.CASCADE, related_name="pairs")
    subject = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="+")
    ours = models.ForeignKey(Completion, on_delete=models.PROTECT, related_name="+")  # the subject's: completion 0
    theirs = models.ForeignKey(Completion, on_delete=models.PROTECT, related_name="+")  # the baseline's: completion 1
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    outcome = models.FloatField(null=True, blank=True)  # 1 won, ½ level, 0 lost
    is_flipped = models.BooleanField(null=True, blank=True)  # whether the displayed order changed anything
    reason = models.CharField(max_length=500, blank=True)  # why there is no outcome
    details = models.JSONField(default=dict, blank=True)  # annotation.judging.Judged

    objects = OfRunQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "ours", "theirs"], name="one_judged_pair_per_run"),
            models.CheckConstraint(
                condition=Q(state="judged", outcome__gte=0, outcome__lte=1)
                | ~Q(state="judged") & Q(outcome__isnull=True),
                name="judged_pairs_alone_have_an_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"pair {self.pk} of {self.run}"


class PairCall(models.Model):
    """Which calls to the judge's model a pair took, retries and copies from the cache included."""

    pair = models.ForeignKey(JudgedPair, on_delete=models.CASCADE, related_name="calls")
    call = models.OneToOneField(JudgeCall, on_delete=models.CASCADE, related_name="evaluation")

    objects = PairCallQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.call} on {self.pair}"
