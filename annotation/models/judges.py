"""LLM judges: their versions, every call that they made, and what the calls about a comparison came to."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from annotation.models.campaigns import Annotator, Campaign
from annotation.models.comparisons import Comparison, Slot
from annotation.models.judgments import JudgingRun, Judgment
from annotation.querysets import JudgeCallQuerySet, JudgeVerdictQuerySet, JudgeVersionQuerySet, OfCampaignQuerySet
from generation.models import LanguageModel


class JudgeVersion(models.Model):
    """What a judge is from this number on. Never changed: another model, template or parameter is a new version."""

    judge = models.ForeignKey(Annotator, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()  # from 1
    model = models.ForeignKey(LanguageModel, on_delete=models.PROTECT, related_name="judge_versions")
    adapter = models.CharField(max_length=120, blank=True)  # a LoRA adapter by the name under which it is served
    spec = models.JSONField()  # annotation.judging.JudgeSpec
    spec_hash = models.CharField(max_length=64)
    template_hash = models.CharField(max_length=64)
    prompt_price = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)  # a million tokens
    reply_price = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)  # a million tokens
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = JudgeVersionQuerySet.as_manager()

    class Meta:
        ordering = ["judge", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["judge", "number"], name="judge_version_once"),
            models.CheckConstraint(
                condition=Q(prompt_price__isnull=True, reply_price__isnull=True)
                | Q(prompt_price__gte=0, reply_price__gte=0),
                name="judge_has_both_prices_or_none",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.judge}, version {self.number}"


class JudgeCall(models.Model):
    """One request to a judge's model and what came back, word for word."""

    class Outcome(models.TextChoices):
        VERDICT = "verdict", "Verdict"  # exactly one, understood; the only kind that the cache serves again
        UNPARSED = "unparsed", "Unparsed"  # no verdict, or two
        REFUSED = "refused", "Refused"  # the model or its provider declined
        TRUNCATED = "truncated", "Truncated"  # it ended at its limit of tokens
        FAILED = "failed", "Failed"  # there is no reply: the request itself went wrong

    run = models.ForeignKey(
        JudgingRun, null=True, blank=True, on_delete=models.CASCADE, related_name="calls"
    )  # null: an evaluation's, whose `PairCall` says what it is about
    version = models.ForeignKey(JudgeVersion, on_delete=models.PROTECT, related_name="calls")
    comparison = models.ForeignKey(
        Comparison, null=True, blank=True, on_delete=models.CASCADE, related_name="judge_calls"
    )  # null: an attack of the injection test, or an evaluation's
    purpose = models.CharField(max_length=13, choices=Slot.Purpose.choices, default=Slot.Purpose.MAIN)  # the slot's
    call = models.JSONField()  # annotation.judging.JudgeCall: all that reading the reply needs
    key = models.CharField(max_length=64)  # annotation.judging.cache_key: the request and who answers it
    model_revision = models.CharField(max_length=300, blank=True)  # what the server said it is
    seed = models.PositiveBigIntegerField(default=0)
    display_order = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)  # 0, or the number of the retry
    reply = models.TextField(blank=True)
    finish_reason = models.CharField(max_length=20, blank=True)
    logprobs = models.JSONField(default=list, blank=True)  # [{"token": …, "logprob": …, "top": {…}}, …]
    outcome = models.CharField(max_length=9, choices=Outcome.choices)
    reason = models.TextField(blank=True)  # why there is no verdict
    num_prompt_tokens = models.PositiveIntegerField(default=0)
    num_tokens = models.PositiveIntegerField(default=0)  # of the reply
    latency_ms = models.FloatField(default=0.0)
    cost = models.DecimalField(max_digits=16, decimal_places=8, null=True, blank=True)  # null: no price is known
    pruned_at = models.DateTimeField(null=True, blank=True)  # when the words of request and reply were emptied
    cached_from = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = JudgeCallQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["key"], condition=Q(outcome="verdict"), name="cached_judge_calls"),
            models.Index(fields=["run", "comparison"], name="judge_calls_of_a_comparison"),
        ]

    def __str__(self) -> str:
        return f"call {self.pk} of {self.version}"


class JudgeVerdict(models.Model):
    """What a judge's calls about one comparison came to, answer or not, with its soft label."""

    run = models.ForeignKey(JudgingRun, on_delete=models.CASCADE, related_name="verdicts")
    version = models.ForeignKey(
        JudgeVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="verdicts"
    )  # null: a panel's, which asks nobody itself
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="judge_verdicts")
    purpose = models.CharField(max_length=13, choices=Slot.Purpose.choices, default=Slot.Purpose.MAIN)  # the slot's
    judgment = models.OneToOneField(
        Judgment, null=True, blank=True, on_delete=models.SET_NULL, related_name="judge_verdict"
    )  # null: no answer, or a calibration, which answers no slot
    question_version = models.PositiveIntegerField(default=1)
    answer = models.JSONField(null=True, blank=True)  # canonical; null: none, and the reason is given
    reason = models.CharField(max_length=500, blank=True)
    preference = models.FloatField(null=True, blank=True)  # of a pair: probability of position 0, a tie counts half
    margin = models.FloatField(null=True, blank=True)  # 0–1: how clear it is
    is_flipped = models.BooleanField(null=True, blank=True)  # whether the displayed order changed anything
    details = models.JSONField(default=dict)  # annotation.judging.Judged
    created_at = models.DateTimeField(auto_now_add=True)

    objects = JudgeVerdictQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["run", "comparison", "purpose"], name="one_judge_verdict_per_run"),
        ]

    def __str__(self) -> str:
        return f"verdict of {self.run.annotator} on comparison {self.comparison_id}"


class Routing(models.Model):
    """A campaign's rule for which comparisons a judge decides alone and which people judge as well."""

    campaign = models.OneToOneField(Campaign, on_delete=models.CASCADE, related_name="routing")
    judge = models.ForeignKey(Annotator, on_delete=models.PROTECT, related_name="routings")
    min_margin = models.FloatField(default=0.0)  # verdicts that are less clear go to people
    flipped_to_people = models.BooleanField(default=True)
    audit_share = models.FloatField(default=0.1)  # of what the judge keeps, blindly judged by people as well
    seed = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OfCampaignQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=Q(min_margin__gte=0, min_margin__lte=1), name="routing_margin_is_a_share"),
            models.CheckConstraint(condition=Q(audit_share__gte=0, audit_share__lte=1), name="audit_is_a_share"),
        ]

    def __str__(self) -> str:
        return f"routing of {self.campaign}"
