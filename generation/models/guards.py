"""Checks by guards, and their verdicts."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import Workspace
from accounts.querysets import WorkspaceQuerySet
from core.models import Job
from generation.models.completions import Completion
from generation.models.language_models import LanguageModel
from generation.models.prompts import Prompt, PromptSet
from generation.models.sampling import SamplingRun
from generation.querysets import GuardVerdictQuerySet


class GuardRun(Job):
    """Checks the prompts of a set, or the completions of a sampling run, by rules or by a guard model."""

    class Style(models.TextChoices):
        RULES = "rules", "Rules"  # words and regular expressions
        NATIVE = "native", "Guard model"  # brings its instructions in its chat template, like Llama Guard
        PROMPTED = "prompted", "Chat model, asked"  # any chat model with our question

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="guard_runs")
    name = models.CharField(max_length=120)
    prompt_set = models.ForeignKey(
        PromptSet, null=True, blank=True, on_delete=models.CASCADE, related_name="guard_runs"
    )
    sampling_run = models.ForeignKey(
        SamplingRun, null=True, blank=True, on_delete=models.CASCADE, related_name="guard_runs"
    )
    style = models.CharField(max_length=8, choices=Style.choices, default=Style.RULES)
    rules = models.JSONField(default=list, blank=True)  # [{"label": …, "words": […], "patterns": […]}, …]
    guard = models.ForeignKey(LanguageModel, null=True, blank=True, on_delete=models.PROTECT, related_name="guard_runs")

    task_name: ClassVar[str] = "generation.tasks.run_guard"
    queue: ClassVar[str] = "gpu"

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(prompt_set__isnull=True) ^ Q(sampling_run__isnull=True), name="guard_run_checks_one_thing"
            ),
            models.CheckConstraint(
                condition=Q(style="rules") ^ Q(guard__isnull=False), name="guard_run_has_rules_or_a_guard"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class GuardVerdict(models.Model):
    """What a guard said of a prompt, or of a completion."""

    run = models.ForeignKey(GuardRun, on_delete=models.CASCADE, related_name="verdicts")
    prompt = models.ForeignKey(Prompt, null=True, blank=True, on_delete=models.CASCADE, related_name="verdicts")
    completion = models.ForeignKey(Completion, null=True, blank=True, on_delete=models.CASCADE, related_name="verdicts")
    is_flagged = models.BooleanField(null=True)  # None: the reply said neither, or none came; reply says which
    labels = models.JSONField(default=list, blank=True)
    reply = models.TextField(blank=True)  # the model's own words, or why there are none

    objects = GuardVerdictQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "prompt"], name="prompt_checked_once_per_guard_run"),
            models.UniqueConstraint(fields=["run", "completion"], name="completion_checked_once_per_guard_run"),
            models.CheckConstraint(
                condition=Q(prompt__isnull=True) ^ Q(completion__isnull=True), name="verdict_is_about_one_thing"
            ),
        ]

    def __str__(self) -> str:
        return ", ".join(self.labels) or {True: "unsafe", False: "safe", None: "unread"}[self.is_flagged]
