"""Datasets and imports of preference pairs, in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import InputSerializer, ObjectField, VisibleField, WorkspaceField, name_field
from accounts.api.jobs import JOB_FIELDS, JobSerializer
from annotation.models import Campaign, Dataset
from generation.models import PromptSet


class DatasetInput(InputSerializer):
    """What to freeze: the judgments of campaigns, or the reference answers of a prompt set."""

    workspace = WorkspaceField()
    name = name_field()
    kind = serializers.ChoiceField(choices=Dataset.Kind.choices, default=Dataset.Kind.PREFERENCES)
    campaigns = VisibleField(queryset=Campaign.objects.all(), many=True, default=())
    prompt_set = VisibleField(queryset=PromptSet.objects.all(), allow_null=True, default=None)
    filter = ObjectField(
        default=dict, help_text="excluded_annotators (ids), min_votes, min_p_chosen; empty takes every judgment."
    )


class DatasetSerializer(JobSerializer):
    """A dataset. Once finished it never changes: `sha256` is its Parquet file's."""

    class Meta:
        model = Dataset
        fields = [
            "id",
            "workspace",
            "name",
            "kind",
            "campaigns",
            "prompt_set",
            "filter",
            "sha256",
            "jsonl_sha256",
            "num_rows",
            "counts",
            *JOB_FIELDS,
        ]


class DownloadQuery(InputSerializer):
    """Which file."""

    format = serializers.ChoiceField(choices=["parquet", "jsonl"], default="parquet")


class RowsSerializer(serializers.Serializer[Any]):
    """One page of a dataset's rows."""

    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = serializers.ListField(child=serializers.DictField())


class PairImportQuery(InputSerializer):
    """Where imported pairs go, and how strict the import is."""

    workspace = WorkspaceField()
    name = name_field()
    held_out_fraction = serializers.FloatField(min_value=0, max_value=0.99, default=0.1)
    skip_malformed = serializers.BooleanField(default=False, help_text="Pass over malformed lines and report them.")


class SkippedLineSerializer(serializers.Serializer[Any]):
    """A line that was passed over."""

    line = serializers.IntegerField()
    reason = serializers.CharField()


class PairImportSerializer(serializers.Serializer[Any]):
    """What an import of pairs made."""

    campaign = serializers.IntegerField(source="campaign.pk")
    prompt_set = serializers.IntegerField(source="prompt_set.pk")
    num_pairs = serializers.IntegerField(help_text="New judgments.")
    num_known = serializers.IntegerField(help_text="Pairs that were there already.")
    skipped = serializers.SerializerMethodField()

    @extend_schema_field(SkippedLineSerializer(many=True))
    def get_skipped(self, report: Any) -> list[dict[str, Any]]:
        return [{"line": line, "reason": reason} for line, reason in report.skipped]
