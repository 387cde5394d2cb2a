"""Evaluations, in and out."""

from rest_framework import serializers

from accounts.api.fields import InputSerializer, VisibleField, WorkspaceField, name_field, seed_field
from accounts.api.jobs import JOB_FIELDS, JobSerializer
from annotation.models import Annotator, Dataset
from evaluation.models import EvaluationResult, EvaluationRun
from generation.models import LanguageModel, SamplingRun


class EvaluationInput(InputSerializer):
    """A new evaluation. A win rate takes sampling_run, judge and baseline; an accuracy takes a dataset."""

    workspace = WorkspaceField()
    name = name_field()
    kind = serializers.ChoiceField(choices=EvaluationRun.Kind.choices)
    subjects = VisibleField(queryset=LanguageModel.objects.all(), many=True, allow_empty=False)
    baseline = VisibleField(queryset=LanguageModel.objects.all(), allow_null=True, default=None)
    sampling_run = VisibleField(queryset=SamplingRun.objects.all(), allow_null=True, default=None)
    judge = VisibleField(queryset=Annotator.objects.all(), allow_null=True, default=None)
    dataset = VisibleField(queryset=Dataset.objects.all(), allow_null=True, default=None)
    seed = seed_field()


class ResultSerializer(serializers.ModelSerializer[EvaluationResult]):
    """One number with its 95 % interval, resampled by prompt."""

    model_name = serializers.CharField(source="model.name", read_only=True)

    class Meta:
        model = EvaluationResult
        fields = ["model", "model_name", "metric", "value", "low", "high", "num_prompts", "num_items", "details"]


class EvaluationSerializer(JobSerializer):
    """An evaluation with its results."""

    results = ResultSerializer(many=True, read_only=True)

    class Meta:
        model = EvaluationRun
        fields = [
            "id",
            "workspace",
            "name",
            "kind",
            "subjects",
            "baseline",
            "sampling_run",
            "judge",
            "dataset",
            "seed",
            "results",
            *JOB_FIELDS,
        ]
