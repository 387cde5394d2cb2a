"""What writes, scores and guards."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from accounts.models import Workspace
from accounts.querysets import WorkspaceQuerySet


def price_field() -> "models.DecimalField[Decimal | None, Decimal | None]":
    """US dollars for a million tokens; None: not known."""
    return models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)


class LanguageModel(models.Model):
    """Something that can speak or score."""

    class Kind(models.TextChoices):
        POLICY = "policy", "Policy"  # writes completions
        REWARD = "reward", "Reward model"  # scores them
        GUARD = "guard", "Guard"  # classifies them

    class Source(models.TextChoices):
        FOLDER = "folder", "Folder on disk"  # location is a path: weights made here or copied here
        HUB = "hub", "Hub id"  # location is a hub id, loaded through transformers
        SERVED = "served", "Served name"  # location is the name at an OpenAI-compatible endpoint
        NAMED = "named", "Bare name"  # wrote imported completions; its weights are not known here, it cannot be run

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="language_models")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.POLICY)
    source = models.CharField(max_length=8, choices=Source.choices)
    location = models.CharField(max_length=1000)
    endpoint_url = models.CharField(max_length=500, blank=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children")
    prompt_price = price_field()
    completion_price = price_field()
    created_at = models.DateTimeField(auto_now_add=True)

    objects = WorkspaceQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="model_name_in_workspace"),
            models.CheckConstraint(
                condition=Q(source="served") ^ Q(endpoint_url=""), name="endpoint_only_for_served_models"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def has_weights(self) -> bool:
        """Whether this machine can load it: a folder or a hub model. Others are names."""
        return self.source in {self.Source.FOLDER, self.Source.HUB}


class EndpointCheck(models.Model):
    """What the server of a served model said the last time it was asked."""

    model = models.OneToOneField(LanguageModel, on_delete=models.CASCADE, related_name="endpoint_check")
    checked_at = models.DateTimeField()
    is_up = models.BooleanField()  # it answers, and serves the model
    problem = models.TextField(blank=True)  # what is wrong and what to do
    found = models.JSONField(default=list, blank=True)  # names of all models that it serves
    latency_ms = models.FloatField(null=True, blank=True)  # of its list of models; null: it gave none

    class Meta:
        ordering = ["-checked_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(is_up=True) ^ ~Q(problem=""), name="endpoint_is_up_or_has_a_problem"),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {'up' if self.is_up else 'down'}"
