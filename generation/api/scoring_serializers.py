"""Scoring runs and scores, in and out."""

from rest_framework import serializers

from accounts.api.fields import InputSerializer, VisibleField, WorkspaceField, name_field
from accounts.api.jobs import JOB_FIELDS, JobSerializer
from generation.models import CompletionScore, LanguageModel, SamplingRun, ScoringRun


class ScoringRunInput(InputSerializer):
    """A new scoring run: all completions of a sampling run, by a reward model."""

    workspace = WorkspaceField()
    name = name_field()
    sampling_run = VisibleField(queryset=SamplingRun.objects.all())
    reward_model = VisibleField(queryset=LanguageModel.objects.all())


class ScoringRunSerializer(JobSerializer):
    """A scoring run."""

    class Meta:
        model = ScoringRun
        fields = ["id", "workspace", "name", "sampling_run", "reward_model", *JOB_FIELDS]


class CompletionScoreSerializer(serializers.ModelSerializer[CompletionScore]):
    """What the run's reward model says of a completion; only scores of one prompt and one run compare."""

    prompt = serializers.IntegerField(source="completion.prompt_id", read_only=True)
    variance = serializers.FloatField(
        read_only=True, allow_null=True, help_text="Of an ensemble's members around their mean; null for a single head."
    )

    class Meta:
        model = CompletionScore
        fields = ["id", "prompt", "completion", "value", "members", "variance"]
