"""Campaigns, their versions, and who answers in them. People and judges share every table."""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from accounts.models import User, Workspace
from annotation.querysets import AnnotatorQuerySet, CampaignQuerySet


class Campaign(models.Model):
    """One collection effort: comparisons in, judgments out."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"  # being prepared: no annotator is served
        OPEN = "open", "Open"  # slots are served
        PAUSED = "paused", "Paused"  # open leases may be answered, nothing new is served
        CLOSED = "closed", "Closed"  # finished for good

    class Selection(models.TextChoices):
        COVERAGE = "coverage", "Coverage"  # first judgments of everything before second ones
        ADAPTIVE = "adaptive", "Adaptive"  # what tells most about the order of a prompt's completions

    class SkipPolicy(models.TextChoices):
        REQUEUE = "requeue", "Ask somebody else"  # the task goes to other annotators
        DROP = "drop", "Ask nobody"  # the judgment is no longer wanted

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="campaigns")
    name = models.CharField(max_length=120)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.DRAFT)
    question = models.JSONField()  # annotation.question.Question
    question_version = models.PositiveIntegerField(default=1)
    guidelines = models.TextField(blank=True)  # Markdown
    guideline_version = models.PositiveIntegerField(default=1)
    overlap = models.PositiveSmallIntegerField(default=1)  # judgments wanted of each comparison
    lease_seconds = models.PositiveIntegerField(default=600)
    selection = models.CharField(max_length=8, choices=Selection.choices, default=Selection.COVERAGE)
    random_share = models.FloatField(default=0.1)  # of adaptive tasks that are drawn at random, to measure the saving
    settled_probability = models.FloatField(null=True, blank=True)  # a prompt's order counts as known; null: never
    skip_policy = models.CharField(max_length=8, choices=SkipPolicy.choices, default=SkipPolicy.REQUEUE)
    gold_every = models.PositiveIntegerField(default=0)  # tasks between two gold items, on average; 0: none
    repeat_every = models.PositiveIntegerField(default=0)  # tasks between two swapped repeats, on average; 0: none
    num_qualification = models.PositiveSmallIntegerField(default=0)  # gold items to answer before anything else
    qualification_pass = models.FloatField(default=0.7)  # share of them that must be right
    pause_below = models.FloatField(null=True, blank=True)  # share of right gold items; null: nobody is paused
    pause_after = models.PositiveSmallIntegerField(default=10)  # gold items before anybody is paused
    exposure_cap = models.PositiveIntegerField(null=True, blank=True)  # sensitive tasks a day and annotator
    price_per_judgment = models.DecimalField(max_digits=10, decimal_places=4, null=True, blank=True)
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
            models.CheckConstraint(
                condition=Q(random_share__gte=0) & Q(random_share__lte=1), name="random_share_is_a_share"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class QuestionVersion(models.Model):
    """What a campaign asked, from this number on."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="question_versions")
    number = models.PositiveIntegerField()
    question = models.JSONField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["campaign", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="question_version_once"),
        ]

    def __str__(self) -> str:
        return f"question {self.number} of {self.campaign}"


class GuidelineVersion(models.Model):
    """What a campaign told its annotators, from this number on."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="guideline_versions")
    number = models.PositiveIntegerField()
    text = models.TextField(blank=True)  # Markdown
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["campaign", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="guideline_version_once"),
        ]

    def __str__(self) -> str:
        return f"guidelines {self.number} of {self.campaign}"


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
    opt_outs = ArrayField(models.CharField(max_length=100), default=list, blank=True)  # tags; "sensitive": all such
    preferences = models.JSONField(default=dict, blank=True)  # of the labeling page: keys, one-press mode
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
    paused_at = models.DateTimeField(null=True, blank=True)
    dispute = models.TextField(blank=True)  # what the annotator says against the pause
    disputed_at = models.DateTimeField(null=True, blank=True)
    acknowledged_version = models.PositiveIntegerField(default=0)  # of the guidelines
    qualified_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "annotator"], name="enrolled_once"),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} in {self.campaign}"
