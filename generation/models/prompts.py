"""Prompt sets and their prompts."""

from django.db import models
from django.db.models import Q

from accounts.models import Workspace
from accounts.querysets import WorkspaceQuerySet
from generation.querysets import PromptQuerySet


class PromptSet(models.Model):
    """A named collection of prompts."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="prompt_sets")
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    source = models.CharField(max_length=300, blank=True)  # where the prompts come from
    licence = models.CharField(max_length=120, blank=True)
    held_out_fraction = models.FloatField(default=0.3)  # share of prompts, by fingerprint, never trained on
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="prompt_set_name_in_workspace"),
            models.CheckConstraint(
                condition=Q(held_out_fraction__gte=0) & Q(held_out_fraction__lt=1),
                name="held_out_fraction_from_0_below_1",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Prompt(models.Model):
    """A conversation that wants a reply."""

    prompt_set = models.ForeignKey(PromptSet, on_delete=models.CASCADE, related_name="prompts")
    messages = models.JSONField()  # [{"role": …, "content": …}, …], the last from the user
    fingerprint = models.CharField(max_length=64)  # SHA-256 of the canonical JSON of messages
    tags = models.JSONField(default=list, blank=True)
    reference = models.TextField(blank=True)  # a known right answer
    is_sensitive = models.BooleanField(default=False)

    objects = PromptQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["prompt_set", "fingerprint"], name="prompt_once_per_set"),
        ]

    def __str__(self) -> str:
        return self.last_turn[:80]

    @property
    def last_turn(self) -> str:
        return str(self.messages[-1]["content"])
