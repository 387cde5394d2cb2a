"""Campaigns, annotators, judgments and judging runs, in and out."""

from typing import Any

from rest_framework import serializers

from accounts.api.fields import InputSerializer, ObjectField, VisibleField, WorkspaceField, name_field, seed_field
from accounts.api.jobs import JOB_FIELDS, JobSerializer
from annotation.models import Annotator, Campaign, Comparison, Enrolment, JudgingRun, Judgment
from annotation.question import Question, QuestionInvalid
from generation.models import SamplingRun, ScoringRun

MAX_OVERLAP = 1000
MAX_LEASE_SECONDS = 7 * 24 * 3600
MAX_INTEGER = 2**31 - 1


class QuestionField(ObjectField):
    """The task specification of a campaign: `kind` is pairwise or ranking, everything else has a default."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return Question.from_json(super().to_internal_value(data))
        except QuestionInvalid as error:
            raise serializers.ValidationError(str(error)) from error


class CampaignInput(InputSerializer):
    """A new campaign."""

    workspace = WorkspaceField()
    name = name_field()
    question = QuestionField()
    guidelines = serializers.CharField(allow_blank=True, default="", max_length=200_000, help_text="Markdown.")
    overlap = serializers.IntegerField(min_value=1, max_value=MAX_OVERLAP, default=1)
    lease_seconds = serializers.IntegerField(min_value=1, max_value=MAX_LEASE_SECONDS, default=600)


class CampaignSerializer(serializers.ModelSerializer[Campaign]):
    """A campaign and how far it is."""

    num_slots = serializers.IntegerField(read_only=True, help_text="Judgments wanted.")
    num_judged = serializers.IntegerField(read_only=True, help_text="Judgments given.")
    created_by = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)

    class Meta:
        model = Campaign
        fields = [
            "id",
            "workspace",
            "name",
            "status",
            "question",
            "question_version",
            "guidelines",
            "guideline_version",
            "overlap",
            "lease_seconds",
            "num_slots",
            "num_judged",
            "created_by",
            "created_at",
        ]


class ComparisonsInput(InputSerializer):
    """Which completions to compare. Near-duplicates never are."""

    sampling_run = VisibleField(queryset=SamplingRun.objects.all())
    max_per_prompt = serializers.IntegerField(min_value=1, max_value=MAX_INTEGER, allow_null=True, default=None)
    max_comparisons = serializers.IntegerField(min_value=1, max_value=MAX_INTEGER, allow_null=True, default=None)
    overlap = serializers.IntegerField(
        min_value=1, max_value=MAX_OVERLAP, allow_null=True, default=None, help_text="The campaign's, unless given."
    )
    priority = serializers.IntegerField(min_value=-MAX_INTEGER, max_value=MAX_INTEGER, default=0)
    seed = seed_field()
    choice = serializers.ChoiceField(
        choices=Comparison.Choice.choices,
        default=Comparison.Choice.RANDOM,
        help_text="Of many: any, or by the scores of `scoring_run` the widest, closest or most disputed.",
    )
    scoring_run = VisibleField(queryset=ScoringRun.objects.all(), allow_null=True, default=None)


class NumAddedSerializer(serializers.Serializer[Any]):
    """How many rows are new."""

    num_added = serializers.IntegerField()


class ComparisonSerializer(serializers.ModelSerializer[Comparison]):
    """A comparison; tiers of its judgments speak of places in `completions`."""

    completions = serializers.SerializerMethodField(help_text="Completion ids by position, from 0.")
    num_slots = serializers.IntegerField(read_only=True)
    num_judged = serializers.IntegerField(read_only=True)

    class Meta:
        model = Comparison
        fields = [
            "id",
            "prompt",
            "completions",
            "choice",
            "scoring_run",
            "priority",
            "num_slots",
            "num_judged",
            "created_at",
        ]

    def get_completions(self, comparison: Comparison) -> list[int]:
        candidates = sorted(comparison.candidates.all(), key=lambda candidate: candidate.position)
        return [candidate.completion_id for candidate in candidates]


class JudgeInput(InputSerializer):
    """A new LLM or rubric judge."""

    workspace = WorkspaceField()
    name = name_field()
    protocol = serializers.CharField(max_length=40, default="rubric")
    parameters = ObjectField()


class AnnotatorSerializer(serializers.ModelSerializer[Annotator]):
    """An annotator: a person, a judge, or the labels of an imported file."""

    user = serializers.SlugRelatedField[Any](slug_field="username", read_only=True)

    class Meta:
        model = Annotator
        fields = ["id", "workspace", "kind", "name", "pseudonym", "user", "protocol", "parameters", "created_at"]


class EnrolmentInput(InputSerializer):
    """Whom to let in: an annotator that exists, or a member of the workspace by user name."""

    annotator = VisibleField(queryset=Annotator.objects.all(), required=False)
    username = serializers.CharField(max_length=150, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Give either annotator or username.")
        return attrs


class EnrolmentSerializer(serializers.ModelSerializer[Enrolment]):
    """An annotator's place in a campaign."""

    annotator = AnnotatorSerializer(read_only=True)
    num_judged = serializers.IntegerField(read_only=True, default=0)

    class Meta:
        model = Enrolment
        fields = ["annotator", "is_active", "pause_reason", "num_judged"]


class JudgmentSerializer(serializers.ModelSerializer[Judgment]):
    """A judgment as managers see it; `answer` speaks of positions, whatever the order shown."""

    annotator_name = serializers.CharField(source="annotator.name", read_only=True)

    class Meta:
        model = Judgment
        fields = [
            "id",
            "comparison",
            "slot",
            "annotator",
            "annotator_name",
            "answer",
            "display_order",
            "active_ms",
            "total_ms",
            "question_version",
            "guideline_version",
            "revises",
            "is_current",
            "created_at",
        ]


class CoefficientSerializer(serializers.Serializer[Any]):
    """One coefficient of agreement. Where `value` or its interval is null, `reason` says why."""

    label = serializers.CharField()  # type: ignore[assignment] # a field, not the attribute
    explanation = serializers.CharField()
    value = serializers.FloatField(source="estimate.value", allow_null=True)
    interval = serializers.ListField(
        source="estimate.interval",
        child=serializers.FloatField(),
        allow_null=True,
        help_text="95 %, by resampling comparisons: low and high.",
    )
    num_comparisons = serializers.IntegerField(source="estimate.n", help_text="With two judgments or more.")
    num_judgments = serializers.IntegerField(source="estimate.num_judgments")
    reason = serializers.CharField(source="estimate.reason", allow_null=True)


class AnnotatorWorkSerializer(serializers.Serializer[Any]):
    """One annotator's work in a campaign; `annotator-statistics` has the rest with intervals."""

    annotator = serializers.IntegerField(source="annotator.pk")
    name = serializers.CharField(source="annotator.name")
    kind = serializers.ChoiceField(source="annotator.kind", choices=Annotator.Kind.choices)
    num_judged = serializers.IntegerField(source="work.num_judged")
    median_seconds = serializers.FloatField(
        source="work.active.value", allow_null=True, help_text="Of active time, where it was measured."
    )
    agreement_with_others = serializers.FloatField(source="work.agreement_with_others.value", allow_null=True)


class AgreementSerializer(serializers.Serializer[Any]):
    """How far the annotators of a campaign agree."""

    coefficients = CoefficientSerializer(many=True)
    annotators = AnnotatorWorkSerializer(many=True)


class JudgingRunInput(InputSerializer):
    """A judge and the campaign whose open slots it answers, or on whose human judgments it is calibrated."""

    campaign = VisibleField(queryset=Campaign.objects.all())
    annotator = VisibleField(queryset=Annotator.objects.all())
    kind = serializers.ChoiceField(choices=JudgingRun.Kind.choices, default=JudgingRun.Kind.ANSWER)
    max_comparisons = serializers.IntegerField(
        min_value=1, max_value=MAX_INTEGER, allow_null=True, default=None, help_text="Of a calibration; null: all."
    )
    uses_managed_server = serializers.BooleanField(
        default=False,
        help_text="Start a vLLM server for the judge's model, a folder or hub id, for as long as the run lasts.",
    )


class JudgingRunSerializer(JobSerializer):
    """A judging run."""

    class Meta:
        model = JudgingRun
        fields = [
            "id",
            "campaign",
            "annotator",
            "kind",
            "version",
            "max_comparisons",
            "uses_managed_server",
            "report",
            *JOB_FIELDS,
        ]
