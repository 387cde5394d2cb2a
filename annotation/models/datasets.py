"""Frozen exports of judgments."""

from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Workspace
from annotation.models.campaigns import Campaign
from annotation.querysets import DatasetQuerySet
from core.models import Job
from generation.models import PromptSet


class Dataset(Job):
    """A frozen, hashed export with its lineage. Once finished, it never changes."""

    class Kind(models.TextChoices):
        PREFERENCES = "preferences", "Preferences"  # chosen/rejected pairs with votes
        RANKINGS = "rankings", "Rankings"  # prompts with K completions in tiers
        LABELS = "labels", "Labels"  # single completions, wanted or not
        DEMONSTRATIONS = "demonstrations", "Demonstrations"  # prompts with one good reply each

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="datasets")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.PREFERENCES)
    campaigns = models.ManyToManyField(Campaign, related_name="datasets", blank=True)
    prompt_set = models.ForeignKey(PromptSet, null=True, blank=True, on_delete=models.PROTECT, related_name="datasets")
    filter = models.JSONField(default=dict, blank=True)  # annotation.dataset_filter.DatasetFilter
    sha256 = models.CharField(max_length=64, blank=True)  # of the Parquet file
    jsonl_sha256 = models.CharField(max_length=64, blank=True)
    num_rows = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, blank=True)  # rows and groups per split, judgments, ties, annotators

    task_name: ClassVar[str] = "annotation.tasks.freeze_dataset"

    objects = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="dataset_name_in_workspace"),
            models.CheckConstraint(
                condition=~Q(status="finished") | ~Q(sha256=""), name="finished_datasets_are_hashed"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        return Path(settings.DATASETS_DIR) / str(self.pk)

    @property
    def parquet_path(self) -> Path:
        return self.folder / "data.parquet"

    @property
    def jsonl_path(self) -> Path:
        return self.folder / "data.jsonl"
