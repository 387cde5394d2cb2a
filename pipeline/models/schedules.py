"""Schedules that retrain a model when enough is new, and each time that one of them fired."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django_celery_beat.models import PeriodicTask

from accounts.models import Workspace
from accounts.querysets import VisibleMixin, WorkspaceQuerySet
from annotation.models import Annotator, Campaign, Dataset
from evaluation.models import EvaluationRun
from generation.models import LanguageModel, PromptSet, SamplingRun
from training.models import TrainingRun


class TrainingSchedule(models.Model):
    """When to train the current model further, on which judgments, and what its successor must show.

    When it fires is in the tables of django-celery-beat: `time_task` for the times, `count_task` for the judgments.
    """

    class Trigger(models.TextChoices):
        TIME = "time", "at set times"  # if at least one judgment is new
        COUNT = "count", "when enough judgments are new"  # whatever the time
        BOTH = "both", "at set times, if enough judgments are new"
        EITHER = "either", "at set times, and when enough judgments are new"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="training_schedules")
    name = models.CharField(max_length=80)  # names of what it makes begin with it
    is_active = models.BooleanField(default=True)  # False: paused
    trigger = models.CharField(max_length=6, choices=Trigger.choices)
    time_task = models.OneToOneField(
        PeriodicTask, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )  # with a crontab; null: the judgments alone decide
    count_task = models.OneToOneField(
        PeriodicTask, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )  # with an interval, in which it looks; null: it is not asked between its times
    min_new_judgments = models.PositiveIntegerField(null=True, blank=True)  # null: the time alone decides

    campaigns = models.ManyToManyField(Campaign, related_name="training_schedules")
    filter = models.JSONField(default=dict, blank=True)  # annotation.dataset_filter.DatasetFilter
    algorithm = models.CharField(max_length=8, choices=TrainingRun.Algorithm.choices)
    config = models.JSONField(default=dict, blank=True)  # fields that differ from the algorithm's defaults
    seed = models.PositiveIntegerField(default=0)  # each firing adds its number

    current_model = models.ForeignKey(
        LanguageModel, on_delete=models.PROTECT, related_name="training_schedules"
    )  # what is trained further and has to be beaten; a firing puts a better one here
    prompt_set = models.ForeignKey(
        PromptSet, on_delete=models.PROTECT, related_name="training_schedules"
    )  # whose held-out prompts both models answer
    max_prompts = models.PositiveIntegerField(null=True, blank=True)  # null: all held-out prompts
    num_completions = models.PositiveSmallIntegerField(default=1)  # of each model to each prompt
    temperature = models.FloatField(default=0.7)
    max_new_tokens = models.PositiveIntegerField(default=256)
    judge = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="training_schedules")
    uses_managed_server = models.BooleanField(default=False)  # a vLLM server of Concord's, while the judge is asked
    min_margin = models.FloatField(default=0.0)  # share of comparisons won above one half, 0 to 0.5
    min_prompts = models.PositiveIntegerField(default=30)  # fewer compared prompts decide nothing

    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="schedule_name_in_workspace"),
            models.CheckConstraint(
                condition=Q(trigger="time", min_new_judgments=None)
                | ~Q(trigger="time") & Q(min_new_judgments__isnull=False, min_new_judgments__gte=1),
                name="schedules_by_count_have_a_count",
            ),
            models.CheckConstraint(
                condition=Q(min_margin__gte=0, min_margin__lt=0.5), name="margin_of_a_schedule_can_be_reached"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def cron(self) -> str:
        """Its times as minute, hour, day of month, month and day of week; empty if the judgments alone decide."""
        if self.time_task is None or self.time_task.crontab is None:
            return ""
        at = self.time_task.crontab
        return f"{at.minute} {at.hour} {at.day_of_month} {at.month_of_year} {at.day_of_week}"

    @property
    def timezone(self) -> str:
        """The zone of `cron`."""
        return "UTC" if self.time_task is None or not self.cron else str(self.time_task.crontab.timezone)


class FiringQuerySet(VisibleMixin):
    """Firings reach their workspace through their schedule."""

    workspace_path = "schedule__workspace"

    def unattended_failures(self) -> Self:
        """The last firing of each active schedule, where it failed: nobody tried again, paused it or fired it anew."""
        begun = self.exclude(status="skipped").order_by("schedule_id", "-number").distinct("schedule_id")
        return self.filter(pk__in=begun.values("pk"), status="failed", schedule__is_active=True)


class ScheduleFiring(models.Model):
    """One time that a schedule came to fire: why it did or did not, what it made, what was decided by which figures.

    A running one is advanced by beat from row to row; killed workers lose nothing but their transaction.
    """

    class Trigger(models.TextChoices):
        TIME = "time", "its time came"
        COUNT = "count", "enough judgments were new"
        HAND = "hand", "somebody asked"  # created_by

    class Status(models.TextChoices):
        SKIPPED = "skipped", "Skipped"  # did nothing: reason says why
        RUNNING = "running", "Running"  # one of the jobs of its steps is under way; one a schedule
        PROMOTED = "promoted", "Promoted"  # the candidate is the current model now
        KEPT = "kept", "Model kept"  # the candidate has not shown that it is better
        FAILED = "failed", "Failed"  # error says at what and why
        CANCELLED = "cancelled", "Cancelled"  # stopped because somebody asked

    class Step(models.TextChoices):
        FREEZE = "freeze", "Freeze the dataset"
        TRAIN = "train", "Train"
        SAMPLE = "sample", "Answer the held-out prompts"
        EVALUATE = "evaluate", "Compare with the current model"

    schedule = models.ForeignKey(TrainingSchedule, on_delete=models.CASCADE, related_name="firings")
    number = models.PositiveIntegerField()  # from 1
    trigger = models.CharField(max_length=5, choices=Trigger.choices)
    status = models.CharField(max_length=9, choices=Status.choices, db_index=True)
    reason = models.TextField()  # why it fired, or why it did not
    num_new_judgments = models.PositiveIntegerField()  # since the last firing that came to a decision
    judgments_seen = models.JSONField(default=dict, blank=True)  # campaign id → judgments that counted at this time
    plan = models.JSONField(default=dict, blank=True)  # the schedule's settings as they were: pipeline.schedules.plan

    step = models.CharField(max_length=8, choices=Step.choices, blank=True)  # the last one that began
    baseline = models.ForeignKey(LanguageModel, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    dataset = models.ForeignKey(
        Dataset, null=True, blank=True, on_delete=models.PROTECT, related_name="schedule_firings"
    )
    training_run = models.ForeignKey(
        TrainingRun, null=True, blank=True, on_delete=models.PROTECT, related_name="schedule_firings"
    )
    candidate = models.ForeignKey(LanguageModel, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    sampling_run = models.ForeignKey(
        SamplingRun, null=True, blank=True, on_delete=models.PROTECT, related_name="schedule_firings"
    )
    evaluation_run = models.ForeignKey(
        EvaluationRun, null=True, blank=True, on_delete=models.PROTECT, related_name="schedule_firings"
    )

    win_rate = models.FloatField(null=True, blank=True)  # of the candidate against the baseline, a tie a half
    low = models.FloatField(null=True, blank=True)  # its 95 % interval, resampled by prompt
    high = models.FloatField(null=True, blank=True)
    num_prompts = models.PositiveIntegerField(null=True, blank=True)
    decision = models.TextField(blank=True)  # in words, with the figures
    error = models.TextField(blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = FiringQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "number"], name="firing_number_once"),
            models.UniqueConstraint(
                fields=["schedule"], condition=Q(status="running"), name="one_running_firing_a_schedule"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["promoted", "kept"])
                | Q(candidate__isnull=False, win_rate__isnull=False, low__isnull=False, high__isnull=False),
                name="decisions_of_firings_have_figures",
            ),
            models.CheckConstraint(condition=~Q(status="promoted") | Q(low__gt=0.5), name="promoted_models_are_better"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule}, firing {self.number}"

    @property
    def has_ended(self) -> bool:
        return self.status != self.Status.RUNNING

    @property
    def margin(self) -> float | None:
        """The win rate above one half."""
        return _above_half(self.win_rate)

    @property
    def margin_low(self) -> float | None:
        return _above_half(self.low)

    @property
    def margin_high(self) -> float | None:
        return _above_half(self.high)


def _above_half(share: float | None) -> float | None:
    return None if share is None else share - 0.5
