"""Constitutions, and replies revised by them."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Workspace
from accounts.querysets import WorkspaceQuerySet
from core.models import Job
from generation.models.completions import Completion
from generation.models.language_models import LanguageModel
from generation.models.sampling import SamplingRun
from generation.querysets import RevisionQuerySet


class Constitution(models.Model):
    """Principles by which replies are criticised and revised; they are in its versions."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="constitutions")
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="constitution_name_in_workspace"),
        ]

    def __str__(self) -> str:
        return self.name


class ConstitutionVersion(models.Model):
    """The principles of a constitution from this number on. Never changed: a new text is a new version."""

    constitution = models.ForeignKey(Constitution, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()  # from 1
    principles = models.JSONField()  # [{"name": …, "critique": …, "revision": …}, …]
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["constitution", "number"]
        constraints = [
            models.UniqueConstraint(fields=["constitution", "number"], name="constitution_version_numbered_once"),
        ]

    def __str__(self) -> str:
        return f"{self.constitution}, version {self.number}"


class RevisionRun(Job):
    """Criticises and revises completions of a sampling run by the principles of a constitution."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="revision_runs")
    name = models.CharField(max_length=120)
    sampling_run = models.ForeignKey(SamplingRun, on_delete=models.PROTECT, related_name="revision_runs")
    version = models.ForeignKey(ConstitutionVersion, on_delete=models.PROTECT, related_name="revision_runs")
    model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="revision_runs")
    num_per_prompt = models.PositiveSmallIntegerField(default=1)  # completions of each prompt that are revised
    num_principles = models.PositiveSmallIntegerField(null=True, blank=True)  # drawn for each reply; None: all
    temperature = models.FloatField(default=0.7)
    max_new_tokens = models.PositiveIntegerField(default=512)
    seed = models.PositiveBigIntegerField(default=0)

    task_name: ClassVar[str] = "generation.tasks.run_revision"
    queue: ClassVar[str] = "gpu"

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(num_per_prompt__gte=1), name="revision_run_revises_something"),
        ]

    def __str__(self) -> str:
        return self.name


class Revision(models.Model):
    """One round on one reply: a critique by a principle, and what the reply became."""

    run = models.ForeignKey(RevisionRun, on_delete=models.CASCADE, related_name="revisions")
    original = models.ForeignKey(Completion, on_delete=models.CASCADE, related_name="revisions_from")
    parent = models.ForeignKey(Completion, on_delete=models.CASCADE, related_name="revised_into")  # round before
    completion = models.OneToOneField(Completion, on_delete=models.CASCADE, related_name="revision")  # the result
    step = models.PositiveSmallIntegerField()  # from 0
    principle = models.CharField(max_length=80)
    critique = models.TextField(blank=True)

    objects = RevisionQuerySet.as_manager()

    class Meta:
        ordering = ["original", "step"]
        constraints = [
            models.UniqueConstraint(fields=["run", "original", "step"], name="reply_revised_once_a_step"),
        ]

    def __str__(self) -> str:
        return f"{self.principle}, step {self.step}"
