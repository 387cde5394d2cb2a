"""Answers, what they add up to, and what they say of those who gave them."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from annotation.models.campaigns import Annotator, Campaign
from annotation.models.comparisons import Comparison, Slot
from annotation.querysets import ConsensusRunQuerySet, JudgingRunQuerySet, JudgmentQuerySet, OfCampaignQuerySet
from core.models import Job


class Judgment(models.Model):
    """One annotator's answer. Append-only: a revision is a newer row."""

    slot = models.ForeignKey(Slot, on_delete=models.PROTECT, related_name="judgments")
    comparison = models.ForeignKey(Comparison, on_delete=models.PROTECT, related_name="judgments")
    annotator = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="judgments")
    purpose = models.CharField(max_length=13, choices=Slot.Purpose.choices, default=Slot.Purpose.MAIN)  # the slot's
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
                fields=["comparison", "annotator", "purpose"],
                condition=Q(is_current=True),
                name="one_current_judgment_per_annotator",
            ),
        ]
        indexes = [
            models.Index(fields=["annotator", "-created_at"], name="judgments_of_an_annotator"),
        ]

    def __str__(self) -> str:
        return f"judgment {self.pk} by {self.annotator}"


class JudgingRun(Job):
    """A judge's pass over a campaign."""

    class Kind(models.TextChoices):
        ANSWER = "answer", "Answers"  # takes slots; its judgments count like any other
        CALIBRATE = "calibrate", "Calibration"  # judges what people have judged; takes no slot, counts nowhere
        ATTACK = "attack", "Injection test"  # texts that want to be preferred; no comparison of the campaign

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="judging_runs")
    annotator = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="judging_runs")
    kind = models.CharField(max_length=9, choices=Kind.choices, default=Kind.ANSWER)
    version = models.ForeignKey(
        "JudgeVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="runs"
    )  # null: a scripted judge or a panel, which have none
    max_comparisons = models.PositiveIntegerField(null=True, blank=True)  # of a calibration; null: all
    uses_managed_server = models.BooleanField(default=False)  # a vLLM server of Concord's, while the judge is asked
    report = models.JSONField(default=dict, blank=True)  # of an injection test: success rates

    task_name: ClassVar[str] = "annotation.tasks.run_judging"

    objects = JudgingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(uses_managed_server=False) | Q(version__isnull=False),
                name="only_judges_with_a_model_have_servers",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} judges {self.campaign}"

    def wanted_queue(self) -> str:
        """With torch or a server of its own it is heavy; most judges ask another machine, or nobody."""
        is_heavy = self.version is not None and (self.uses_managed_server or self.version.model.has_weights)
        return "gpu" if is_heavy else self.queue


class Alert(models.Model):
    """Something about an annotator's work that a manager should see."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="alerts")
    annotator = models.ForeignKey(Annotator, on_delete=models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=40)  # such as "gold", "qualification", "position_bias"
    message = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    objects = OfCampaignQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "annotator", "kind"], condition=Q(resolved_at=None), name="one_open_alert_of_a_kind"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.annotator} in {self.campaign}"

    @property
    def kind_in_words(self) -> str:
        return self.kind.replace("_", " ")


class ConsensusRun(Job):
    """Aggregates a campaign's judgments into one answer for each comparison."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="consensus_runs")
    method = models.CharField(max_length=40)  # a name of annotation.aggregation.METHODS
    parameters = models.JSONField(default=dict, blank=True)

    task_name: ClassVar[str] = "annotation.tasks.run_consensus"

    objects = ConsensusRunQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.method} of {self.campaign}"


class Consensus(models.Model):
    """The aggregated answer of a comparison."""

    run = models.ForeignKey(ConsensusRun, on_delete=models.CASCADE, related_name="rows")
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="consensus")
    tiers = models.JSONField(null=True, blank=True)  # null: none, and the reason is given
    reason = models.CharField(max_length=300, blank=True)
    confidence = models.FloatField(null=True, blank=True)  # 0–1, as the method defines it
    posterior = models.JSONField(default=dict, blank=True)
    judgment_ids = ArrayField(models.BigIntegerField(), default=list, blank=True)  # what it was made of
    is_adjudicated = models.BooleanField(default=False)  # decided by a person instead of the method

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "consensus"
        constraints = [
            models.UniqueConstraint(fields=["run", "comparison"], name="one_consensus_per_run"),
        ]

    def __str__(self) -> str:
        return f"consensus of comparison {self.comparison_id}"
