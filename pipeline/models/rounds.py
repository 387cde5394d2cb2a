"""Rounds: a trained policy writes what is judged next."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Workspace
from accounts.querysets import WorkspaceQuerySet
from annotation.models import Campaign
from generation.models import LanguageModel, SamplingRun


class Round(models.Model):
    """A campaign whose replies a published checkpoint writes, asked as an earlier campaign was."""

    class Status(models.TextChoices):
        SAMPLING = "sampling", "Sampling"  # the replies are being written
        FILLED = "filled", "Filled"  # the campaign has its comparisons
        FAILED = "failed", "Failed"  # error says why; the campaign stays an empty draft

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveIntegerField()  # 2 for the first that follows a campaign
    model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="rounds")  # that writes
    former = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="next_rounds")  # asked before
    campaign = models.OneToOneField(Campaign, on_delete=models.CASCADE, related_name="round")  # asks now
    sampling_run = models.OneToOneField(SamplingRun, on_delete=models.PROTECT, related_name="round")
    max_per_prompt = models.PositiveIntegerField(default=1)  # comparisons
    opens = models.BooleanField(default=True)  # as soon as it is filled
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.SAMPLING, db_index=True)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(number__gte=2), name="rounds_follow_a_first_campaign"),
            models.CheckConstraint(condition=Q(status="failed") ^ Q(error=""), name="failed_rounds_say_why"),
        ]

    def __str__(self) -> str:
        return f"round {self.number}: {self.campaign}"
