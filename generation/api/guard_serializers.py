"""Guard runs and their verdicts, in and out."""

from typing import Any

from rest_framework import serializers

from accounts.api.fields import InputSerializer, VisibleField, WorkspaceField, name_field
from accounts.api.jobs import JOB_FIELDS, JobSerializer
from generation.models import GuardRun, GuardVerdict, LanguageModel, PromptSet, SamplingRun


class GuardRunInput(InputSerializer):
    """A new guard run: of a prompt set or of a sampling run, by rules or by a guard model."""

    workspace = WorkspaceField()
    name = name_field()
    prompt_set = VisibleField(queryset=PromptSet.objects.all(), allow_null=True, default=None)
    sampling_run = VisibleField(queryset=SamplingRun.objects.all(), allow_null=True, default=None)
    guard = VisibleField(queryset=LanguageModel.objects.all(), allow_null=True, default=None)
    style = serializers.ChoiceField(  # type: ignore[assignment] # a field, not the attribute
        choices=GuardRun.Style.choices, default=GuardRun.Style.RULES
    )
    rules: Any = serializers.JSONField(
        default=None, help_text="[{label, words, patterns}, …]; unless given, a small list of ours."
    )


class GuardRunSerializer(JobSerializer):
    """A guard run."""

    class Meta:
        model = GuardRun
        fields = ["id", "workspace", "name", "prompt_set", "sampling_run", "style", "guard", "rules", *JOB_FIELDS]


class GuardVerdictSerializer(serializers.ModelSerializer[GuardVerdict]):
    """What a guard said of a prompt or of a completion; `is_flagged` is null where that cannot be told."""

    labels = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = GuardVerdict
        fields = ["id", "prompt", "completion", "is_flagged", "labels", "reply"]
