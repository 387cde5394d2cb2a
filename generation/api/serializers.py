"""Prompt sets, models and sampling runs, in and out."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import InputSerializer, VisibleField, WorkspaceField, name_field, seed_field
from accounts.api.jobs import JOB_FIELDS, JobSerializer
from generation.models import (
    Completion,
    CompletionFlag,
    EndpointCheck,
    LanguageModel,
    Prompt,
    PromptSet,
    SamplingArm,
    SamplingFailure,
    SamplingRun,
)
from generation.sampling_figures import Figures, figures_of, total
from generation.services import MAX_ATTEMPTS, USABLE_SOURCES
from generation.splits import split_of

MAX_COMPLETIONS = 1024
MAX_NEW_TOKENS = 1_000_000


def price_field() -> serializers.DecimalField:
    """US dollars for a million tokens."""
    return serializers.DecimalField(
        max_digits=12,
        decimal_places=6,
        min_value=Decimal(0),
        allow_null=True,
        default=None,
        help_text="US dollars for a million tokens.",
    )


class PromptSetInput(InputSerializer):
    """A new prompt set."""

    workspace = WorkspaceField()
    name = name_field()
    description = serializers.CharField(allow_blank=True, default="", max_length=10_000)
    source = serializers.CharField(allow_blank=True, default="", max_length=300)  # type: ignore[assignment] # a field, not the attribute
    licence = serializers.CharField(allow_blank=True, default="", max_length=120)
    held_out_fraction = serializers.FloatField(
        min_value=0, max_value=0.99, default=0.3, help_text="The share of prompts that is never trained on."
    )


class PromptSetSerializer(serializers.ModelSerializer[PromptSet]):
    """A prompt set."""

    num_prompts = serializers.IntegerField(read_only=True)

    class Meta:
        model = PromptSet
        fields = [
            "id",
            "workspace",
            "name",
            "description",
            "source",
            "licence",
            "held_out_fraction",
            "num_prompts",
            "created_at",
        ]


class MessageSerializer(serializers.Serializer[Any]):
    """One turn of a conversation."""

    role = serializers.ChoiceField(choices=["system", "user", "assistant"])
    content = serializers.CharField()


class PromptSerializer(serializers.ModelSerializer[Prompt]):
    """A prompt, and on which side of the split it lies."""

    messages = MessageSerializer(many=True, read_only=True)
    split = serializers.SerializerMethodField(help_text="train or held_out, decided by the fingerprint.")
    tags = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Prompt
        fields = ["id", "prompt_set", "messages", "fingerprint", "split", "tags", "reference", "is_sensitive"]

    def get_split(self, prompt: Prompt) -> str:
        return split_of(prompt.fingerprint, prompt.prompt_set.held_out_fraction)


class ModelInput(InputSerializer):
    """A new language model."""

    workspace = WorkspaceField()
    name = name_field()
    kind = serializers.ChoiceField(choices=LanguageModel.Kind.choices, default=LanguageModel.Kind.POLICY)
    source = serializers.ChoiceField(choices=USABLE_SOURCES)  # type: ignore[assignment] # a field, not the attribute
    location = serializers.CharField(
        max_length=1000, help_text="A folder on the server, a hub id, or the name at the endpoint, as `source` says."
    )
    endpoint_url = serializers.CharField(max_length=500, allow_blank=True, default="")
    parent = VisibleField(  # type: ignore[assignment] # a field, not the attribute
        queryset=LanguageModel.objects.all(), allow_null=True, default=None
    )
    prompt_price = price_field()
    completion_price = price_field()


class EndpointCheckSerializer(serializers.ModelSerializer[EndpointCheck]):
    """What a served model's endpoint said the last time it was asked."""

    is_up = serializers.BooleanField(read_only=True, help_text="It answers, and serves the model.")
    found = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Names of all models that it serves."
    )

    class Meta:
        model = EndpointCheck
        fields = ["checked_at", "is_up", "problem", "found", "latency_ms"]


class ModelSerializer(serializers.ModelSerializer[LanguageModel]):
    """A language model."""

    endpoint_check = EndpointCheckSerializer(
        read_only=True, allow_null=True, default=None, help_text="Of a served model that has been checked."
    )

    class Meta:
        model = LanguageModel
        fields = [
            "id",
            "workspace",
            "name",
            "kind",
            "source",
            "location",
            "endpoint_url",
            "endpoint_check",
            "parent",
            "prompt_price",
            "completion_price",
            "created_at",
        ]


class ArmInput(InputSerializer):
    """One arm of a new sampling run. Several arms of one model need a `name` each."""

    model = VisibleField(queryset=LanguageModel.objects.all())
    name = serializers.CharField(max_length=80, allow_blank=True, default="")
    system_prompt = serializers.CharField(
        max_length=20_000, allow_blank=True, default="", help_text="Said before the prompt's own system turn."
    )
    adapter = serializers.CharField(
        max_length=120,
        allow_blank=True,
        default="",
        help_text="A LoRA adapter: its name at the server, or its folder for a server of its own.",
    )
    num_completions = serializers.IntegerField(min_value=1, max_value=MAX_COMPLETIONS, default=4)
    temperature = serializers.FloatField(min_value=0, max_value=100, default=1.0)
    top_p = serializers.FloatField(min_value=0, max_value=1, default=1.0)
    max_new_tokens = serializers.IntegerField(min_value=1, max_value=MAX_NEW_TOKENS, default=256)
    stop = serializers.ListField(
        child=serializers.CharField(max_length=200, trim_whitespace=False),
        max_length=16,
        default=list,
        help_text="Texts that end a reply.",
    )
    uses_managed_server = serializers.BooleanField(
        default=False, help_text="Start a vLLM server for the model while this arm is sampled."
    )


class SamplingRunInput(InputSerializer):
    """A new sampling run."""

    workspace = WorkspaceField()
    name = name_field()
    prompt_set = VisibleField(queryset=PromptSet.objects.all())
    arms = ArmInput(many=True, allow_empty=False)
    split = serializers.ChoiceField(choices=SamplingRun.Split.choices, default=SamplingRun.Split.ALL)
    max_prompts = serializers.IntegerField(min_value=1, max_value=2**31 - 1, allow_null=True, default=None)
    seed = seed_field()
    max_attempts = serializers.IntegerField(
        min_value=1, max_value=MAX_ATTEMPTS, default=3, help_text="At a prompt whose failure may pass."
    )


class FiguresSerializer(serializers.Serializer[Figures]):
    """What sampling took."""

    num_completions = serializers.IntegerField()
    num_failed = serializers.IntegerField(help_text="Prompts without completions, each with a failure that says why.")
    num_prompt_tokens = serializers.IntegerField(help_text="A prompt counts once for all its completions.")
    num_tokens = serializers.IntegerField(help_text="Of the completions.")
    seconds = serializers.FloatField(help_text="Spent sampling and storing, over all attempts.")
    tokens_per_second = serializers.FloatField(allow_null=True)
    completions_per_second = serializers.FloatField(allow_null=True)
    latency_p50_ms = serializers.FloatField(allow_null=True, help_text="Of an arm: until a whole reply was there.")
    latency_p95_ms = serializers.FloatField(allow_null=True)
    cost = serializers.DecimalField(
        max_digits=20, decimal_places=6, allow_null=True, help_text="US dollars; null where a price is not known."
    )


class ArmSerializer(serializers.ModelSerializer[SamplingArm]):
    """One arm of a sampling run."""

    stop = serializers.ListField(child=serializers.CharField(), read_only=True)
    figures = serializers.SerializerMethodField()

    class Meta:
        model = SamplingArm
        fields = [
            "id",
            "position",
            "label",
            "model",
            "system_prompt",
            "adapter",
            "num_completions",
            "temperature",
            "top_p",
            "max_new_tokens",
            "stop",
            "uses_managed_server",
            "engine",
            "prompt_price",
            "completion_price",
            "failure_kind",
            "error",
            "figures",
        ]

    @extend_schema_field(FiguresSerializer)
    def get_figures(self, arm: SamplingArm) -> Any:
        return FiguresSerializer(figures_of(arm)).data


class SamplingRunSerializer(JobSerializer):
    """A sampling run."""

    arms = ArmSerializer(many=True, read_only=True)
    num_failed = serializers.IntegerField(
        read_only=True, help_text="Prompts that an arm has no completions of; a finished run may have some."
    )
    figures = serializers.SerializerMethodField()

    class Meta:
        model = SamplingRun
        fields = [
            "id",
            "workspace",
            "name",
            "prompt_set",
            "split",
            "max_prompts",
            "seed",
            "max_attempts",
            "arms",
            "num_failed",
            "figures",
            *JOB_FIELDS,
        ]

    @extend_schema_field(FiguresSerializer)
    def get_figures(self, run: SamplingRun) -> Any:
        return FiguresSerializer(total(figures_of(arm) for arm in run.arms.all())).data


class SamplingFailureSerializer(serializers.ModelSerializer[SamplingFailure]):
    """A prompt that an arm has no completions of."""

    class Meta:
        model = SamplingFailure
        fields = ["id", "arm", "prompt", "kind", "message", "num_attempts", "last_at"]


class CompletionFlagSerializer(serializers.ModelSerializer[CompletionFlag]):
    """Something remarkable about a completion: a warning, no verdict."""

    class Meta:
        model = CompletionFlag
        fields = ["kind", "detail"]


class CompletionSerializer(serializers.ModelSerializer[Completion]):
    """A completion with its provenance."""

    flags = CompletionFlagSerializer(many=True, read_only=True)

    class Meta:
        model = Completion
        fields = [
            "id",
            "prompt",
            "origin",
            "sampling_run",
            "arm",
            "model",
            "index",
            "text",
            "finish_reason",
            "num_prompt_tokens",
            "num_tokens",
            "latency_ms",
            "model_revision",
            "seed",
            "duplicate_of",
            "flags",
            "created_at",
        ]
