"""Judges' versions, calls, calibration and routing, in and out."""

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from accounts.api.fields import InputSerializer, ObjectField, VisibleField, WorkspaceField, name_field, seed_field
from annotation.judge_report import JudgeReport
from annotation.models import Annotator, JudgeCall, JudgeVersion, Routing
from generation.models import LanguageModel


class VersionInput(InputSerializer):
    """What a judge is from now on."""

    model = VisibleField(queryset=LanguageModel.objects.all())
    parameters = ObjectField(default=dict, help_text="Fields of a judge's specification; `template` is one.")
    adapter = serializers.CharField(max_length=120, allow_blank=True, default="", help_text="A LoRA adapter.")
    prompt_price = serializers.DecimalField(
        max_digits=12, decimal_places=4, min_value=0, allow_null=True, default=None, help_text="A million tokens."
    )
    reply_price = serializers.DecimalField(
        max_digits=12, decimal_places=4, min_value=0, allow_null=True, default=None, help_text="A million tokens."
    )


class LlmJudgeInput(VersionInput):
    """A new judge with a language model."""

    workspace = WorkspaceField()
    name = name_field()
    protocol = serializers.CharField(max_length=40)


class PanelInput(InputSerializer):
    """A judge that combines what other judges have said."""

    workspace = WorkspaceField()
    name = name_field()
    members = serializers.ListField(child=VisibleField(queryset=Annotator.objects.all()), max_length=9)
    method = serializers.ChoiceField(choices=["vote", "mean"], default="vote")
    quorum = serializers.IntegerField(min_value=0, max_value=9, default=0, help_text="0: more than half.")


class JudgeVersionSerializer(serializers.ModelSerializer[JudgeVersion]):
    """A version of a judge."""

    class Meta:
        model = JudgeVersion
        fields = [
            "id",
            "judge",
            "number",
            "model",
            "adapter",
            "spec",
            "spec_hash",
            "template_hash",
            "prompt_price",
            "reply_price",
            "created_at",
        ]


class JudgeCallRowSerializer(serializers.ModelSerializer[JudgeCall]):
    """A call without the request's words."""

    class Meta:
        model = JudgeCall
        fields = [
            "id",
            "run",
            "version",
            "comparison",
            "purpose",
            "display_order",
            "seed",
            "attempt",
            "outcome",
            "reason",
            "reply",
            "finish_reason",
            "model_revision",
            "num_prompt_tokens",
            "num_tokens",
            "latency_ms",
            "cost",
            "cached_from",
            "pruned_at",
            "created_at",
        ]


class JudgeCallSerializer(JudgeCallRowSerializer):
    """A call, word for word."""

    class Meta(JudgeCallRowSerializer.Meta):
        fields = [*JudgeCallRowSerializer.Meta.fields, "call", "key", "logprobs"]


class RereadSerializer(serializers.Serializer[Any]):
    """What came of reading stored replies again."""

    num_calls = serializers.IntegerField()
    num_outcomes_changed = serializers.IntegerField()
    num_answers_changed = serializers.IntegerField(help_text="Their judgments are revised.")
    num_answerable = serializers.IntegerField(help_text="Another run submits them without asking.")


class CalibrationQuery(InputSerializer):
    """Which version of the judge."""

    version = serializers.IntegerField(min_value=1, required=False, help_text="The newest with verdicts unless given.")


class CalibrationSerializer(serializers.Serializer[JudgeReport]):
    """A judge on a campaign's own human judgments. Every figure has `value`, `interval`, `n` and `reason`."""

    version = serializers.IntegerField(allow_null=True)
    num_judged = serializers.IntegerField()
    num_without_answer = serializers.IntegerField()
    agreement = serializers.DictField(help_text="judge, people, longer, judge_minus_people.")
    flips = serializers.DictField()
    position = serializers.DictField()
    length = serializers.DictField()
    lists = serializers.DictField()
    own_family = serializers.DictField()
    reliability = serializers.DictField()
    curve = serializers.ListField(child=serializers.DictField(), help_text="Routing, by least margin.")
    cost = serializers.DictField(allow_null=True)
    drift = serializers.ListField(child=serializers.DictField(), help_text="Each version against the one before.")
    outcomes = serializers.DictField(child=serializers.IntegerField())
    injection = serializers.DictField()

    def to_representation(self, instance: JudgeReport) -> dict[str, Any]:
        drift = [{"old": old, "new": new, **asdict(found)} for old, new, found in instance.drift]
        return {**{name: value for name, value in asdict(instance).items() if name != "family"}, "drift": drift}


class RoutingInput(InputSerializer):
    """Which comparisons people judge beside the judge."""

    judge = VisibleField(queryset=Annotator.objects.all())
    min_margin = serializers.FloatField(min_value=0, max_value=1, default=0.0)
    flipped_to_people = serializers.BooleanField(default=True)
    audit_share = serializers.FloatField(min_value=0, max_value=1, default=0.1)
    seed = seed_field()


class RoutingSerializer(serializers.ModelSerializer[Routing]):
    """A campaign's routing. Who decided what is in the judge's verdicts; nothing here tells audits from other tasks."""

    class Meta:
        model = Routing
        fields = ["campaign", "judge", "min_margin", "flipped_to_people", "audit_share", "seed", "created_at"]
