"""Adjudication and gold items, in and out. Indices in answers are positions of completions, never places shown."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import InputSerializer, ObjectField
from annotation.api.quality_serializers import ConsensusSerializer
from annotation.api.serializers import JudgmentSerializer
from annotation.consensus import newest_run
from annotation.models import Comparison, Consensus, Judgment, Slot
from generation.api.serializers import MessageSerializer


class WaitingSerializer(serializers.Serializer[Any]):
    """A comparison that waits for an adjudicator."""

    comparison = serializers.IntegerField(source="item.comparison")
    num_judgments = serializers.IntegerField(source="item.num_judgments")
    votes = serializers.DictField(
        source="item.votes",
        child=serializers.IntegerField(),
        help_text="Of pairs: `first`, `tied`, `second`. Empty for rankings.",
    )
    disagreement = serializers.FloatField(
        source="item.disagreement", help_text="Share of the pairs of judgments that differ."
    )
    uncertainty = serializers.FloatField(help_text="Bits: of the newest consensus, otherwise of the smoothed votes.")
    taken_by = serializers.CharField(allow_blank=True, help_text="Who has it at the moment.")


class VoteSerializer(JudgmentSerializer):
    """A judgment of whatever purpose."""

    class Meta(JudgmentSerializer.Meta):
        fields = [*JudgmentSerializer.Meta.fields, "purpose"]


class HeldSerializer(serializers.ModelSerializer[Slot]):
    """The lease of an adjudicator; `token` goes back with the decision."""

    slot = serializers.IntegerField(source="pk", read_only=True)

    class Meta:
        model = Slot
        fields = ["slot", "token", "leased_until"]


class CandidateTextSerializer(serializers.Serializer[Any]):
    """One of the replies, by position."""

    completion = serializers.IntegerField(source="completion_id")
    text = serializers.CharField(source="completion.text")


class DisputedSerializer(serializers.ModelSerializer[Comparison]):
    """A comparison with everything that was said about it."""

    messages = MessageSerializer(source="prompt.messages", many=True, read_only=True)
    replies = serializers.SerializerMethodField()
    votes = serializers.SerializerMethodField(help_text="Every current judgment, a decision included.")
    consensus = serializers.SerializerMethodField(help_text="Of the newest finished run; null if there is none.")

    class Meta:
        model = Comparison
        fields = ["id", "campaign", "prompt", "messages", "replies", "votes", "consensus", "gold", "gold_note"]

    @extend_schema_field(CandidateTextSerializer(many=True))
    def get_replies(self, comparison: Comparison) -> list[Any]:
        rows = comparison.candidates.select_related("completion").order_by("position")
        return list(CandidateTextSerializer(rows, many=True).data)

    @extend_schema_field(VoteSerializer(many=True))
    def get_votes(self, comparison: Comparison) -> list[Any]:
        rows: QuerySet[Any] = Judgment.objects.current().filter(comparison=comparison)
        return list(VoteSerializer(rows.select_related("annotator").order_by("pk"), many=True).data)

    @extend_schema_field(ConsensusSerializer(allow_null=True))
    def get_consensus(self, comparison: Comparison) -> Any:
        run = newest_run(comparison.campaign)
        row = Consensus.objects.filter(run=run, comparison=comparison).first() if run else None
        return ConsensusSerializer(row).data if row else None


class DecisionInput(InputSerializer):
    """An adjudicator's answer; sent again under its key it is stored once."""

    token = serializers.UUIDField()
    answer = ObjectField()
    idempotency_key = serializers.CharField(max_length=64)


class GoldInput(InputSerializer):
    """The known answer of a comparison."""

    answer = ObjectField()
    note = serializers.CharField(max_length=2000, allow_blank=True, default="", help_text="Why it is right.")
    is_qualification = serializers.BooleanField(default=False, help_text="Asked before anything else.")


class UnanimousInput(InputSerializer):
    """Which comparisons become gold items by themselves."""

    min_judgments = serializers.IntegerField(min_value=2, max_value=1000, default=3)
    limit = serializers.IntegerField(min_value=1, max_value=1000, default=50)


class PromotedSerializer(serializers.Serializer[Any]):
    """How many comparisons became gold items."""

    num_promoted = serializers.IntegerField()


class GoldSerializer(serializers.ModelSerializer[Comparison]):
    """A gold item."""

    comparison = serializers.IntegerField(source="pk", read_only=True)
    answer = serializers.DictField(source="gold", read_only=True)
    note = serializers.CharField(source="gold_note", read_only=True)
    num_judged = serializers.SerializerMethodField(help_text="First answers as a gold item.")
    num_missed = serializers.SerializerMethodField(help_text="Of these, such as were wrong.")

    class Meta:
        model = Comparison
        fields = ["comparison", "prompt", "answer", "note", "is_qualification", "num_judged", "num_missed"]

    def get_num_judged(self, comparison: Comparison) -> int:
        return self._counts(comparison)[0]

    def get_num_missed(self, comparison: Comparison) -> int:
        return self._counts(comparison)[1]

    def _counts(self, comparison: Comparison) -> tuple[int, int]:
        misses: dict[int, tuple[int, int]] = self.context.get("gold_misses", {})
        return misses.get(comparison.pk, (0, 0))


class GoldCandidateSerializer(serializers.Serializer[Any]):
    """A comparison that could become a gold item."""

    comparison = serializers.IntegerField(source="comparison.pk")
    prompt = serializers.IntegerField(source="comparison.prompt_id")
    tiers = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))
    num_judgments = serializers.IntegerField()
    num_same = serializers.IntegerField(help_text="Judgments that say this.")
    is_adjudicated = serializers.BooleanField()
