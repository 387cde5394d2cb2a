"""Training runs, metrics and checkpoints, in and out."""

from typing import Any

from rest_framework import serializers

from accounts.api.fields import InputSerializer, ObjectField, VisibleField, WorkspaceField, name_field, seed_field
from accounts.api.jobs import JOB_FIELDS, JobSerializer
from annotation.models import Dataset
from generation.models import LanguageModel, PromptSet
from training import model_export
from training.models import Checkpoint, DataReport, Metric, SampleText, TrainingRun


class TrainingRunInput(InputSerializer):
    """A new training run. PPO takes a prompt set and a reward model; every other algorithm takes a dataset."""

    workspace = WorkspaceField()
    name = name_field()
    algorithm = serializers.ChoiceField(choices=TrainingRun.Algorithm.choices)
    config = ObjectField(default=dict, help_text="Fields that differ from the algorithm's defaults.")
    seed = seed_field()
    dataset = VisibleField(queryset=Dataset.objects.all(), allow_null=True, default=None)
    prompt_set = VisibleField(queryset=PromptSet.objects.all(), allow_null=True, default=None)
    init_model = VisibleField(queryset=LanguageModel.objects.all(), allow_null=True, default=None)
    reward_model = VisibleField(queryset=LanguageModel.objects.all(), allow_null=True, default=None)
    held_out_reward_model = VisibleField(
        queryset=LanguageModel.objects.all(),
        allow_null=True,
        default=None,
        help_text="PPO: a second reward model, which only measures at evaluations.",
    )


class TrainingRunListSerializer(JobSerializer):
    """A training run in a list."""

    class Meta:
        model = TrainingRun
        fields = [
            "id",
            "workspace",
            "name",
            "algorithm",
            "seed",
            "dataset",
            "prompt_set",
            "init_model",
            "reward_model",
            "held_out_reward_model",
            "spec_sha256",
            "is_pause_requested",
            "data_report",
            *JOB_FIELDS,
        ]


class TrainingRunSerializer(TrainingRunListSerializer):
    """A training run with its configuration, its estimate, what it was made with, and the end of its log."""

    class Meta(TrainingRunListSerializer.Meta):
        fields = [*TrainingRunListSerializer.Meta.fields, "config", "estimate", "provenance", "log_tail"]


class DataReportInput(InputSerializer):
    """Data to report on before they are trained on; PPO trains on a prompt set, everything else on a dataset."""

    algorithm = serializers.ChoiceField(choices=TrainingRun.Algorithm.choices)
    config = ObjectField(default=dict, help_text="Its limits of prompts and completions matter here.")
    dataset = VisibleField(queryset=Dataset.objects.all(), allow_null=True, default=None)
    prompt_set = VisibleField(queryset=PromptSet.objects.all(), allow_null=True, default=None)
    init_model = VisibleField(
        queryset=LanguageModel.objects.all(),
        allow_null=True,
        default=None,
        help_text="Whose tokenizer counts and is checked; without one, characters are counted alone.",
    )


class DataReportSerializer(JobSerializer):
    """A report on data: rows, lengths, findings, and what a tokenizer makes of them."""

    class Meta:
        model = DataReport
        fields = [
            "id",
            "workspace",
            "algorithm",
            "dataset",
            "prompt_set",
            "model",
            "max_prompt_tokens",
            "max_completion_tokens",
            "report",
            *JOB_FIELDS,
        ]


class EstimateSerializer(serializers.Serializer[Any]):
    """What a run would need. Bytes, seconds and floating-point operations; null: not known."""

    num_steps = serializers.IntegerField()
    num_tokens = serializers.FloatField(help_text="Computed in all.")
    num_parameters = serializers.IntegerField(allow_null=True)
    memory = serializers.DictField(child=serializers.FloatField(), allow_null=True)
    memory_bytes = serializers.FloatField(allow_null=True)
    least_memory = serializers.FloatField(allow_null=True)
    disk = serializers.DictField(child=serializers.FloatField(), allow_null=True)
    disk_bytes = serializers.FloatField(allow_null=True)
    flops = serializers.FloatField(allow_null=True)
    speed = serializers.FloatField(allow_null=True, help_text="Operations a second that were assumed.")
    seconds = serializers.FloatField(allow_null=True)
    is_counted = serializers.BooleanField(help_text="Whether tokens were counted; otherwise guessed from characters.")
    refusal = serializers.CharField(allow_null=True, help_text="Why the run would be refused; null: it would not.")
    warnings = serializers.ListField(child=serializers.CharField())


class ModelCardSerializer(serializers.Serializer[Any]):
    """The model card of a run, Markdown."""

    markdown = serializers.CharField()


class MetricSerializer(serializers.ModelSerializer[Metric]):
    """The numbers of one step."""

    class Meta:
        model = Metric
        fields = ["step", "kind", "values", "recorded_at"]


class SampleTextSerializer(serializers.ModelSerializer[SampleText]):
    """What the policy said to a fixed prompt at some step."""

    class Meta:
        model = SampleText
        fields = ["step", "prompt", "text"]


class CheckpointSerializer(serializers.ModelSerializer[Checkpoint]):
    """A checkpoint, and the language model that it became if it was published."""

    class Meta:
        model = Checkpoint
        fields = ["id", "run", "step", "path", "manifest_sha256", "is_final", "language_model", "created_at"]


class PublishInput(InputSerializer):
    """The name of the new language model."""

    name = name_field()


class LineageNodeSerializer(serializers.Serializer[Any]):
    """One thing that a checkpoint rests on."""

    key = serializers.CharField()
    kind = serializers.CharField(
        help_text="checkpoint, model, training run, dataset, campaign, sampling run, prompt set"
    )
    id = serializers.IntegerField()
    name = serializers.CharField()
    facts = serializers.DictField(help_text="What pins it: hashes, seeds, counts.")


class LineageSerializer(serializers.Serializer[Any]):
    """The graph from a checkpoint backwards."""

    start = serializers.CharField(help_text="The key of the checkpoint.")
    is_complete = serializers.BooleanField(help_text="False: what lies furthest back was left out.")
    nodes = LineageNodeSerializer(many=True)
    edges = serializers.ListField(
        child=serializers.DictField(child=serializers.CharField()),
        help_text="Each with from, to and relation: `from` rests on `to`.",
    )


class ExportQuery(InputSerializer):
    """In which form."""

    form = serializers.ChoiceField(choices=model_export.FORMS, default=model_export.MODEL)
