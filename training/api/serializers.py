"""Training runs, metrics and checkpoints, in and out."""

from typing import Any

from rest_framework import serializers

from accounts.api.fields import InputSerializer, ObjectField, VisibleField, WorkspaceField, name_field, seed_field
from accounts.api.jobs import JOB_FIELDS, JobSerializer
from annotation.models import Dataset
from generation.models import LanguageModel, PromptSet
from training import model_export
from training.models import Checkpoint, Metric, SampleText, TrainingRun


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
            "spec_sha256",
            "is_pause_requested",
            *JOB_FIELDS,
        ]


class TrainingRunSerializer(TrainingRunListSerializer):
    """A training run with its configuration and the end of its log."""

    class Meta(TrainingRunListSerializer.Meta):
        fields = [*TrainingRunListSerializer.Meta.fields, "config", "log_tail"]


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
