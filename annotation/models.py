"""Campaigns and what annotators do in them. People and judges share every table."""

import uuid
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import User, Workspace
from annotation.querysets import (
    AnnotatorQuerySet,
    CampaignQuerySet,
    DatasetQuerySet,
    JudgingRunQuerySet,
    JudgmentQuerySet,
    OfCampaignQuerySet,
    SlotQuerySet,
)
from core.models import Job
from generation.models import Completion, Prompt, PromptSet


class Campaign(models.Model):
    """One collection effort: comparisons in, judgments out."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"  # being prepared: no annotator is served
        OPEN = "open", "Open"  # slots are served
        PAUSED = "paused", "Paused"  # open leases may be answered, nothing new is served
        CLOSED = "closed", "Closed"  # finished for good

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="campaigns")
    name = models.CharField(max_length=120)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DRAFT)
    question = models.JSONField()  # annotation.question.Question
    question_version = models.PositiveIntegerField(default=1)
    guidelines = models.TextField(blank=True)  # Markdown
    guideline_version = models.PositiveIntegerField(default=1)
    overlap = models.PositiveSmallIntegerField(default=1)  # judgments wanted of each comparison
    lease_seconds = models.PositiveIntegerField(default=600)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="campaign_name_in_workspace"),
            models.CheckConstraint(condition=Q(overlap__gte=1), name="campaign_wants_judgments"),
            models.CheckConstraint(condition=Q(lease_seconds__gte=1), name="lease_lasts"),
        ]

    def __str__(self) -> str:
        return self.name


class Annotator(models.Model):
    """Whoever answers: a person or an LLM judge."""

    class Kind(models.TextChoices):
        PERSON = "person", "Person"  # user is set
        JUDGE = "judge", "Judge"  # protocol and parameters are set
        IMPORTED = "imported", "Imported"  # the labels came with a file; nobody here answers under this name

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="annotators")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=120)
    pseudonym = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)  # stands in exports
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="annotators")
    protocol = models.CharField(max_length=40, blank=True)  # of a judge, e.g. "rubric"
    parameters = models.JSONField(default=dict, blank=True)  # of a judge, e.g. {"strictness": "strict"}
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AnnotatorQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="annotator_name_in_workspace"),
            models.UniqueConstraint(fields=["workspace", "user"], name="user_is_one_annotator_per_workspace"),
            models.CheckConstraint(condition=Q(kind="person") ^ Q(user=None), name="exactly_people_have_users"),
            models.CheckConstraint(condition=Q(kind="judge") ^ Q(protocol=""), name="exactly_judges_have_protocols"),
        ]

    def __str__(self) -> str:
        return self.name


class Enrolment(models.Model):
    """An annotator's place in a campaign."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="enrolments")
    annotator = models.ForeignKey(Annotator, on_delete=models.CASCADE, related_name="enrolments")
    is_active = models.BooleanField(default=True)
    pause_reason = models.TextField(blank=True)  # shown to the annotator while not active

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "annotator"], name="enrolled_once"),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} in {self.campaign}"


class Comparison(models.Model):
    """One unit to judge: a prompt and 2–9 completions of it, numbered from 0 by `Candidate.position`."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="comparisons")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="comparisons")
    completions: "models.ManyToManyField[Completion, Candidate]" = models.ManyToManyField(
        Completion, through="Candidate", related_name="comparisons"
    )
    num_completions = models.PositiveSmallIntegerField()  # fixed at creation with the candidates
    fingerprint = models.CharField(max_length=64)  # SHA-256 of the sorted completion ids: once per campaign
    priority = models.IntegerField(default=0)  # higher is served first
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OfCampaignQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "fingerprint"], name="comparison_once_per_campaign"),
            models.CheckConstraint(
                condition=Q(num_completions__gte=2) & Q(num_completions__lte=9), name="comparison_of_2_to_9"
            ),
        ]

    def __str__(self) -> str:
        return f"comparison {self.pk} of {self.num_completions}"


class Candidate(models.Model):
    """A completion's place in a comparison; tiers speak of these positions."""

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="candidates")
    completion = models.ForeignKey(Completion, on_delete=models.PROTECT, related_name="candidacies")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ["comparison", "position"]
        constraints = [
            models.UniqueConstraint(fields=["comparison", "position"], name="one_candidate_per_position"),
            models.UniqueConstraint(fields=["comparison", "completion"], name="completion_once_per_comparison"),
        ]

    def __str__(self) -> str:
        return f"candidate {self.position} of comparison {self.comparison_id}"


class Slot(models.Model):
    """One of the judgments that a comparison still wants, leased to one annotator at a time."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="slots")
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="slots")
    number = models.PositiveSmallIntegerField()  # 0 … K−1
    priority = models.IntegerField(default=0)  # the comparison's
    annotator = models.ForeignKey(Annotator, null=True, blank=True, on_delete=models.SET_NULL, related_name="slots")
    token = models.UUIDField(null=True, blank=True)  # proves the lease at submit
    leased_until = models.DateTimeField(null=True, blank=True)
    display_order = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    draft = models.JSONField(null=True, blank=True)  # an unfinished answer
    judged_at = models.DateTimeField(null=True, blank=True)

    objects = SlotQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["comparison", "number"], name="slot_number_once"),
            models.UniqueConstraint(fields=["comparison", "annotator"], name="annotator_once_per_comparison"),
            models.CheckConstraint(
                condition=Q(judged_at=None) | Q(annotator__isnull=False),
                name="judged_slots_name_their_annotator",
            ),
        ]
        indexes = [
            # The claim walks this from the front and takes the first row that nobody has locked.
            models.Index(
                fields=["campaign", "-priority", "number", "id"],
                condition=Q(judged_at=None),
                name="open_slots_in_serving_order",
            ),
        ]

    def __str__(self) -> str:
        return f"slot {self.number} of comparison {self.comparison_id}"


class Judgment(models.Model):
    """One annotator's answer. Append-only: a revision is a newer row."""

    slot = models.ForeignKey(Slot, on_delete=models.PROTECT, related_name="judgments")
    comparison = models.ForeignKey(Comparison, on_delete=models.PROTECT, related_name="judgments")
    annotator = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="judgments")
    answer = models.JSONField()  # annotation.answers.Answer: tiers and extras
    display_order = ArrayField(models.PositiveSmallIntegerField())  # position shown at each place, left to right
    active_ms = models.PositiveIntegerField(default=0)  # while the page had focus
    total_ms = models.PositiveIntegerField(default=0)
    question_version = models.PositiveIntegerField(default=1)
    guideline_version = models.PositiveIntegerField(default=1)
    idempotency_key = models.CharField(max_length=64)
    revises = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="revised_by")
    is_current = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = JudgmentQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["annotator", "idempotency_key"], name="submitted_once"),
            models.UniqueConstraint(
                fields=["slot"], condition=Q(is_current=True), name="one_current_judgment_per_slot"
            ),
            models.UniqueConstraint(
                fields=["comparison", "annotator"],
                condition=Q(is_current=True),
                name="one_current_judgment_per_annotator",
            ),
        ]

    def __str__(self) -> str:
        return f"judgment {self.pk} by {self.annotator}"


class JudgingRun(Job):
    """A judge answers the open slots of a campaign."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="judging_runs")
    annotator = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="judging_runs")

    task_name: ClassVar[str] = "annotation.tasks.run_judging"

    objects = JudgingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.annotator} judges {self.campaign}"


class Dataset(Job):
    """A frozen, hashed export with its lineage. Once finished, it never changes."""

    class Kind(models.TextChoices):
        PREFERENCES = "preferences", "Preferences"  # chosen/rejected pairs with votes
        DEMONSTRATIONS = "demonstrations", "Demonstrations"  # prompts with one good reply each

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="datasets")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.PREFERENCES)
    campaigns = models.ManyToManyField(Campaign, related_name="datasets", blank=True)
    prompt_set = models.ForeignKey(PromptSet, null=True, blank=True, on_delete=models.PROTECT, related_name="datasets")
    filter = models.JSONField(default=dict, blank=True)  # annotation.export.DatasetFilter
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
