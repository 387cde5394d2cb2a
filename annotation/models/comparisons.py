"""What there is to judge: comparisons, their candidates, and the slots in which they are served."""

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Random

from annotation.models.campaigns import Annotator, Campaign
from annotation.querysets import OfCampaignQuerySet, SlotQuerySet
from generation.models import Completion, Prompt, ScoringRun

OPEN_SLOTS: Final = Q(judged_at=None, withdrawn_at=None, purpose="main")


class Comparison(models.Model):
    """One unit to judge: a prompt and up to 9 completions of it, numbered from 0 by `Candidate.position`."""

    class Choice(models.TextChoices):
        RANDOM = "random", "At random"  # of all possible ones, or all of them
        WIDEST = "widest", "Widest apart"  # by scoring_run: of two, the best and the worst
        CLOSEST = "closest", "Closest together"  # by scoring_run: what it can hardly tell apart
        DISPUTED = "disputed", "Most disputed"  # by scoring_run: whose order its reward ensemble disagrees about most

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="comparisons")
    prompt = models.ForeignKey(Prompt, on_delete=models.PROTECT, related_name="comparisons")
    completions: "models.ManyToManyField[Completion, Candidate]" = models.ManyToManyField(
        Completion, through="Candidate", related_name="comparisons"
    )
    num_completions = models.PositiveSmallIntegerField()  # fixed at creation with the candidates
    fingerprint = models.CharField(max_length=64)  # SHA-256 of the sorted completion ids: once per campaign
    pair_key = models.BigIntegerField(default=0)  # which models wrote the completions, in order; sides balance by it
    categories = ArrayField(models.CharField(max_length=100), default=list, blank=True)  # tags, and "sensitive"
    choice = models.CharField(max_length=8, choices=Choice.choices, default=Choice.RANDOM, db_default=Choice.RANDOM)
    scoring_run = models.ForeignKey(
        ScoringRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="comparisons"
    )  # whose scores chose it; null: none did, or they are gone
    gold = models.JSONField(null=True, blank=True)  # the known answer; such a comparison has no slots of its own
    gold_note = models.TextField(blank=True)  # why it is right
    is_qualification = models.BooleanField(default=False)  # a gold item that is asked before anything else
    settled_at = models.DateTimeField(null=True, blank=True)  # since then its prompt's order counts as known
    priority = models.IntegerField(default=0)  # higher is served first
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OfCampaignQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "fingerprint"], name="comparison_once_per_campaign"),
            models.CheckConstraint(condition=Q(num_completions__lte=9), name="comparison_of_at_most_9"),
            models.CheckConstraint(
                condition=~Q(is_qualification=True, gold__isnull=True), name="qualification_is_gold"
            ),
        ]
        indexes = [
            models.Index(fields=["campaign"], condition=Q(gold__isnull=False), name="gold_of_campaign"),
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

    class Purpose(models.TextChoices):
        MAIN = "main", "Judgment"  # one of the judgments that are wanted
        GOLD = "gold", "Gold"  # the answer is known: how good is the annotator
        QUALIFICATION = "qualification", "Qualification"  # the same, before anything else
        REPEAT = "repeat", "Repeat"  # the annotator's own earlier task with the sides swapped
        ADJUDICATION = "adjudication", "Adjudication"  # somebody decides what others disagree about

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="slots")
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="slots")
    purpose = models.CharField(max_length=13, choices=Purpose.choices, default=Purpose.MAIN)
    number = models.PositiveSmallIntegerField(default=0)  # 0 … K−1 of the wanted ones
    priority = models.IntegerField(default=0)  # the comparison's
    score = models.FloatField(default=0)  # what one more judgment would tell; for adaptive selection
    random_key = models.FloatField(db_default=Random())  # a fixed shuffle, for the random arm
    pair_key = models.BigIntegerField(default=0)  # the comparison's
    annotator = models.ForeignKey(Annotator, null=True, blank=True, on_delete=models.SET_NULL, related_name="slots")
    token = models.UUIDField(null=True, blank=True)  # proves the lease at submit
    leased_until = models.DateTimeField(null=True, blank=True)
    display_order = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    is_block_open = models.BooleanField(default=False)  # the same models come next with the sides swapped
    served_at = models.DateTimeField(null=True, blank=True)
    served_because = models.CharField(max_length=20, blank=True)  # for operators; never shown to labelers
    question_version = models.PositiveIntegerField(default=1)  # what was asked when it was served
    wants_rationale = models.BooleanField(default=False)  # fixed when it was served
    tab = models.CharField(max_length=40, blank=True)  # the browser's tab that shows it
    draft = models.JSONField(null=True, blank=True)  # an unfinished answer
    withdrawn_at = models.DateTimeField(null=True, blank=True)  # no longer wanted: skipped for good, or settled
    judged_at = models.DateTimeField(null=True, blank=True)

    objects = SlotQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["comparison", "number"], condition=Q(purpose="main"), name="slot_number_once"
            ),
            models.UniqueConstraint(
                fields=["comparison", "annotator", "purpose"], name="annotator_once_per_comparison"
            ),
            models.CheckConstraint(
                condition=Q(judged_at=None) | Q(annotator__isnull=False),
                name="judged_slots_name_their_annotator",
            ),
        ]
        indexes = [
            # A claim walks one of these from the front and takes the first row that nobody has locked.
            models.Index(
                fields=["campaign", "-priority", "number", "id"], condition=OPEN_SLOTS, name="open_slots_by_coverage"
            ),
            models.Index(
                fields=["campaign", "-priority", "-score", "number", "id"],
                condition=OPEN_SLOTS,
                name="open_slots_by_score",
            ),
            models.Index(fields=["campaign", "random_key"], condition=OPEN_SLOTS, name="open_slots_shuffled"),
            models.Index(fields=["campaign", "annotator", "purpose", "-judged_at"], name="slots_of_an_annotator"),
            models.Index(
                fields=["annotator", "campaign", "pair_key", "-served_at"],
                condition=Q(purpose="main", annotator__isnull=False),
                name="sides_of_an_annotator",
            ),
            models.Index(
                fields=["annotator", "campaign"],
                condition=Q(judged_at=None, withdrawn_at=None, annotator__isnull=False),
                name="leases_of_an_annotator",
            ),
        ]

    def __str__(self) -> str:
        return f"slot {self.number} of comparison {self.comparison_id}"


class Skip(models.Model):
    """An annotator would not answer a comparison; it is not served to them again."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="skips")
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="skips")
    annotator = models.ForeignKey(Annotator, on_delete=models.CASCADE, related_name="skips")
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OfCampaignQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["comparison", "annotator"], name="skipped_once"),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} skipped comparison {self.comparison_id}"
