"""Pipelines, in and out."""

from rest_framework import serializers

from accounts.api.fields import InputSerializer, ObjectField, WorkspaceField
from pipeline.models import PipelineRun, PipelineStep


class PipelineInput(InputSerializer):
    """A new pass from the starter prompts to evaluated policies.

    Files on the server are no input here: import pairs through `preference-pairs` instead.
    """

    workspace = WorkspaceField()
    name = serializers.CharField(max_length=120, allow_blank=True, default="")
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
    model = serializers.CharField(
        max_length=1000, allow_blank=True, default="", help_text="A folder or hub id; empty starts a small fresh model."
    )
    vllm_url = serializers.CharField(max_length=500, allow_blank=True, default="")
    sizes = ObjectField(default=dict, help_text="Sizes that differ from the preset.")
    configs = ObjectField(default=dict, help_text="Algorithm → fields that differ from the preset.")


class StepSerializer(serializers.ModelSerializer[PipelineStep]):
    """One step: which jobs it started, what came out."""

    class Meta:
        model = PipelineStep
        fields = [
            "number",
            "key",
            "title",
            "status",
            "jobs",
            "outputs",
            "summary",
            "error",
            "started_at",
            "finished_at",
        ]


class PipelineListSerializer(serializers.ModelSerializer[PipelineRun]):
    """A pipeline in a list."""

    class Meta:
        model = PipelineRun
        fields = ["id", "workspace", "name", "status", "created_at", "finished_at"]


class PipelineSerializer(PipelineListSerializer):
    """A pipeline with its options and steps."""

    steps = StepSerializer(many=True, read_only=True)

    class Meta(PipelineListSerializer.Meta):
        fields = [*PipelineListSerializer.Meta.fields, "options", "steps"]
