"""The quality of a campaign's judgments over REST: statistics, alerts, pauses, consensus, and what managers send."""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import InputSerializer, ObjectField, VisibleField
from accounts.api.jobs import JOB_FIELDS, JobSerializer
from annotation import aggregation
from annotation.models import Alert, Annotator, Campaign, Consensus, ConsensusRun, Enrolment


class ShareSerializer(serializers.Serializer[Any]):
    """A share, a coefficient or a median. Where `value` is null, `reason` says why."""

    value = serializers.FloatField(allow_null=True)
    interval = serializers.ListField(child=serializers.FloatField(), allow_null=True, help_text="95 %: low and high.")
    n = serializers.IntegerField(help_text="What it was made of.")
    reason = serializers.CharField(allow_null=True)


class DriftSerializer(serializers.Serializer[Any]):
    """Whether agreement with the consensus changed at some moment. Where `p_value` is null, `reason` says why."""

    p_value = serializers.FloatField(allow_null=True)
    changed_at = serializers.SerializerMethodField(help_text="The first judgment after the likeliest change.")
    before = ShareSerializer(allow_null=True)
    after = ShareSerializer(allow_null=True)
    reason = serializers.CharField(allow_null=True)

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_changed_at(self, drift: Any) -> datetime | None:
        return None if drift.changed_at is None else datetime.fromtimestamp(float(drift.changed_at), UTC)


class OutlierSerializer(serializers.Serializer[Any]):
    """The sequential test of "agrees as often as required"."""

    verdict = serializers.ChoiceField(choices=["pause", "clear", "open"])
    mean = serializers.FloatField(help_text="Agreement with the others' consensus.")
    required = serializers.FloatField(source="evidence.required")  # type: ignore[assignment] # a field, not the flag
    chance = serializers.FloatField(source="evidence.chance")
    n = serializers.IntegerField(source="evidence.n")
    p_value = serializers.FloatField(source="evidence.p_value")
    num_until_pause = serializers.IntegerField(allow_null=True)


class FlagSerializer(serializers.Serializer[Any]):
    """One finding about an annotator."""

    kind = serializers.CharField()
    words = serializers.CharField(help_text="A sentence without its subject.")


class AnnotatorStatisticsSerializer(serializers.Serializer[Any]):
    """One annotator's work in a campaign: people, judges and imported ones alike."""

    annotator = serializers.IntegerField(source="annotator.pk")
    name = serializers.CharField(source="annotator.name")
    kind = serializers.ChoiceField(source="annotator.kind", choices=Annotator.Kind.choices)
    is_active = serializers.BooleanField()
    num_judged = serializers.IntegerField(source="work.num_judged")
    active_seconds = ShareSerializer(source="work.active", help_text="Median of a judgment, while the page had focus.")
    total_seconds = ShareSerializer(source="work.total", help_text="Median of a judgment.")
    agreement_with_others = ShareSerializer(source="work.agreement_with_others")
    agreement_with_consensus = ShareSerializer(source="work.agreement_with_consensus")
    kappa = ShareSerializer(source="work.kappa", help_text="Agreement with the others' consensus beyond chance.")
    gold = ShareSerializer(source="work.gold", help_text="Tasks with a known answer that were right.")
    left = ShareSerializer(source="work.left", help_text="Preferences for the reply shown left.")
    longer = ShareSerializer(source="work.longer", help_text="Preferences for the longer reply.")
    skipped = ShareSerializer(source="work.skipped")
    same_again = ShareSerializer(source="work.same_again", help_text="Swapped repeats that were answered the same.")
    contradicted = ShareSerializer(source="work.contradicted", help_text="Strict preferences that were turned round.")
    drift = DriftSerializer(source="work.drift", allow_null=True)
    outlier = OutlierSerializer(source="work.outlier", allow_null=True)
    flags = FlagSerializer(source="work.flags", many=True)


class AlertSerializer(serializers.ModelSerializer[Alert]):
    """Something about an annotator's work that a manager should see."""

    annotator_name = serializers.CharField(source="annotator.name", read_only=True)

    class Meta:
        model = Alert
        fields = ["id", "annotator", "annotator_name", "kind", "message", "created_at", "resolved_at"]


class PauseSerializer(serializers.ModelSerializer[Enrolment]):
    """An annotator's place in a campaign: whether they are paused, why, and what they say against it."""

    annotator_name = serializers.CharField(source="annotator.name", read_only=True)

    class Meta:
        model = Enrolment
        fields = [
            "annotator",
            "annotator_name",
            "is_active",
            "pause_reason",
            "paused_at",
            "dispute",
            "disputed_at",
            "qualified_at",
        ]


class PauseInput(InputSerializer):
    """Why an annotator is served nothing more; they read it."""

    reason = serializers.CharField(max_length=500)


class UpholdInput(InputSerializer):
    """What a manager answers to a dispute; the annotator reads it beside the reason."""

    answer = serializers.CharField(max_length=2000, allow_blank=True, default="")


class DisputeInput(InputSerializer):
    """What a paused annotator says against the pause."""

    text = serializers.CharField(max_length=5000)


class ConsensusRunInput(InputSerializer):
    """A campaign and how its judgments become one answer for each comparison."""

    campaign = VisibleField(queryset=Campaign.objects.all())
    method = serializers.ChoiceField(choices=list(aggregation.METHODS))
    parameters = ObjectField(default=dict, help_text="Of the method: docs/reference/aggregation.md.")


class ConsensusRunSerializer(JobSerializer):
    """A consensus run; `parameters` are complete, defaults included."""

    class Meta:
        model = ConsensusRun
        fields = ["id", "campaign", "method", "parameters", *JOB_FIELDS]


class ConsensusSerializer(serializers.ModelSerializer[Consensus]):
    """The answer of one comparison. Where `tiers` is null, `reason` says why."""

    class Meta:
        model = Consensus
        fields = [
            "comparison",
            "tiers",
            "reason",
            "confidence",
            "posterior",
            "judgment_ids",
            "is_adjudicated",
        ]
