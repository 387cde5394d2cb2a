"""Evaluations, in and out."""

from typing import Any

from rest_framework import serializers

from accounts.api.fields import InputSerializer, VisibleField, WorkspaceField, name_field, seed_field
from accounts.api.jobs import JOB_FIELDS, JobSerializer
from annotation.models import Annotator, Dataset, JudgeVersion
from evaluation.models import EvaluationResult, EvaluationRun, JudgedPair
from generation.models import LanguageModel, SamplingRun, ScoringRun


class EvaluationInput(InputSerializer):
    """A new evaluation. A win rate takes sampling_run, baseline and judge or judge_version; an accuracy a dataset."""

    workspace = WorkspaceField()
    name = name_field()
    kind = serializers.ChoiceField(choices=EvaluationRun.Kind.choices)
    subjects = VisibleField(queryset=LanguageModel.objects.all(), many=True, allow_empty=False)
    baseline = VisibleField(queryset=LanguageModel.objects.all(), allow_null=True, default=None)
    sampling_run = VisibleField(queryset=SamplingRun.objects.all(), allow_null=True, default=None)
    scoring_run = VisibleField(
        queryset=ScoringRun.objects.all(),
        allow_null=True,
        default=None,
        help_text="Of the sampling run: the baseline shows the best of its replies to each prompt by these scores.",
    )
    judge = VisibleField(queryset=Annotator.objects.all(), allow_null=True, default=None)
    judge_version = VisibleField(
        queryset=JudgeVersion.objects.select_related("judge", "model"),
        allow_null=True,
        default=None,
        help_text="Of a judge with a language model; its newest unless given.",
    )
    conflict = serializers.ChoiceField(
        choices=EvaluationRun.Conflict.choices,
        allow_blank=True,
        default="",
        help_text="What two orders that disagree count as; the version's own policy unless given.",
    )
    uses_managed_server = serializers.BooleanField(
        default=False,
        help_text="Start a vLLM server for the judge's model, a folder or hub id, for as long as the evaluation lasts.",
    )
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
            "scoring_run",
            "judge",
            "judge_version",
            "conflict",
            "uses_managed_server",
            "dataset",
            "seed",
            "results",
            *JOB_FIELDS,
        ]


class JudgedPairSerializer(serializers.ModelSerializer[JudgedPair]):
    """Two completions of one prompt and what an LLM judge said; `details` has each order's own verdict."""

    prompt = serializers.IntegerField(source="ours.prompt_id", read_only=True)
    calls = serializers.SlugRelatedField[Any](slug_field="call_id", many=True, read_only=True)

    class Meta:
        model = JudgedPair
        fields = [
            "id",
            "subject",
            "prompt",
            "ours",
            "theirs",
            "state",
            "outcome",
            "is_flipped",
            "reason",
            "details",
            "calls",
        ]
