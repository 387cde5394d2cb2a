"""Constitutions and revision runs, in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import InputSerializer, VisibleField, WorkspaceField, name_field, seed_field
from accounts.api.jobs import JOB_FIELDS, JobSerializer
from generation.api.serializers import CompletionSerializer
from generation.models import Constitution, ConstitutionVersion, LanguageModel, Revision, RevisionRun, SamplingRun


class PrincipleSerializer(serializers.Serializer[Any]):
    """One thing that replies should be."""

    name = serializers.CharField()
    critique = serializers.CharField(help_text="Asks what is wrong with the reply in this respect.")
    revision = serializers.CharField(help_text="Asks for the reply without it.")


class PrinciplesInput(InputSerializer):
    """The principles of a version."""

    principles = serializers.ListField(child=serializers.JSONField())


class ConstitutionInput(PrinciplesInput):
    """A new constitution."""

    workspace = WorkspaceField()
    name = name_field()


class ConstitutionVersionSerializer(serializers.ModelSerializer[ConstitutionVersion]):
    """The principles from one number on."""

    principles = PrincipleSerializer(many=True, read_only=True)

    class Meta:
        model = ConstitutionVersion
        fields = ["id", "number", "principles", "created_at"]


class ConstitutionSerializer(serializers.ModelSerializer[Constitution]):
    """A constitution with its newest version."""

    newest = serializers.SerializerMethodField()

    class Meta:
        model = Constitution
        fields = ["id", "workspace", "name", "newest", "created_at"]

    @extend_schema_field(ConstitutionVersionSerializer)
    def get_newest(self, constitution: Constitution) -> Any:
        versions = sorted(constitution.versions.all(), key=lambda version: version.number)
        return ConstitutionVersionSerializer(versions[-1]).data


class RevisionRunInput(InputSerializer):
    """A new revision run."""

    workspace = WorkspaceField()
    name = name_field()
    sampling_run = VisibleField(queryset=SamplingRun.objects.all())
    constitution = VisibleField(queryset=Constitution.objects.all(), help_text="Its newest version is used.")
    model = VisibleField(queryset=LanguageModel.objects.all())
    num_per_prompt = serializers.IntegerField(min_value=1, max_value=1024, default=1)
    num_principles = serializers.IntegerField(
        min_value=1, max_value=100, allow_null=True, default=None, help_text="Drawn for each reply; unless given, all."
    )
    temperature = serializers.FloatField(min_value=0, max_value=100, default=0.7)
    max_new_tokens = serializers.IntegerField(min_value=1, max_value=1_000_000, default=512)
    seed = seed_field()


class RevisionRunSerializer(JobSerializer):
    """A revision run."""

    class Meta:
        model = RevisionRun
        fields = [
            "id",
            "workspace",
            "name",
            "sampling_run",
            "version",
            "model",
            "num_per_prompt",
            "num_principles",
            "temperature",
            "max_new_tokens",
            "seed",
            *JOB_FIELDS,
        ]


class RevisionSerializer(serializers.ModelSerializer[Revision]):
    """One round on one reply; `parent` is what was revised, `completion` what it became."""

    completion = CompletionSerializer(read_only=True)

    class Meta:
        model = Revision
        fields = ["id", "original", "parent", "completion", "step", "principle", "critique"]
