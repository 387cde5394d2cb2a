"""Imports and exports of judgments, in and out."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import InputSerializer, WorkspaceField, name_field
from annotation.judgment_export.schema import FORMATS
from annotation.judgment_import.layouts import TITLES
from annotation.judgment_import.preview import answer_words
from annotation.judgment_import.service import PreviewedRow
from annotation.models import Slot

MAX_PREVIEWED = 100


class JudgmentSourceQuery(InputSerializer):
    """Whose judgments are looked at, and how they are written down."""

    workspace = WorkspaceField()
    layout = serializers.ChoiceField(choices=list(TITLES), required=False, help_text="Unless given, it is recognised.")


class JudgmentPreviewQuery(JudgmentSourceQuery):
    """How much of a file is looked at."""

    rows = serializers.IntegerField(min_value=1, max_value=MAX_PREVIEWED, default=10)


class JudgmentImportQuery(JudgmentSourceQuery):
    """Where imported judgments go, and how strict the import is."""

    name = name_field()
    held_out_fraction = serializers.FloatField(min_value=0, max_value=0.99, default=0.1)
    skip_malformed = serializers.BooleanField(default=False, help_text="Pass over malformed rows and report them.")


class RowProblemSerializer(serializers.Serializer[Any]):
    """A row that could not be imported."""

    file = serializers.CharField()
    row = serializers.IntegerField(help_text="Line, element of a JSON array, or row below a CSV's header; from 1.")
    reason = serializers.CharField()


class JudgmentImportSerializer(serializers.Serializer[Any]):
    """What an import of judgments did."""

    campaign = serializers.IntegerField(source="campaign.pk")
    prompt_set = serializers.IntegerField(source="prompt_set.pk")
    layout = serializers.CharField()
    num_rows = serializers.IntegerField()
    num_without_votes = serializers.IntegerField(help_text="Rows in which nobody judged anything.")
    num_malformed = serializers.IntegerField(help_text="Rows that were passed over.")
    num_added = serializers.IntegerField(help_text="New judgments, revisions included.")
    num_revised = serializers.IntegerField(help_text="Of these, such as replace an earlier one of the same annotator.")
    num_known = serializers.IntegerField(help_text="Votes that were there already.")
    num_prompts = serializers.IntegerField(help_text="New ones.")
    num_completions = serializers.IntegerField(help_text="New ones.")
    num_comparisons = serializers.IntegerField(help_text="New ones.")
    num_annotators = serializers.IntegerField(help_text="Who voted in these files.")
    problems = RowProblemSerializer(many=True, help_text="The first thousand rows that were passed over.")


class PreviewedVoteSerializer(serializers.Serializer[Any]):
    """A vote as it would be stored; numbers in the answer are places in `replies`."""

    messages = serializers.ListField(source="vote.messages")
    replies = serializers.SerializerMethodField()
    display_order = serializers.ListField(child=serializers.IntegerField())
    answer = serializers.SerializerMethodField()
    words = serializers.SerializerMethodField(help_text="The answer in words.")
    annotator_kind = serializers.CharField(source="vote.annotator.kind")
    judged_at = serializers.DateTimeField(source="vote.judged_at", allow_null=True)

    def get_replies(self, checked: Any) -> list[dict[str, str]]:
        return [vars(reply) for reply in checked.replies]

    def get_answer(self, checked: Any) -> dict[str, Any]:
        return dict(checked.answer.to_json())

    def get_words(self, checked: Any) -> str:
        return answer_words(checked)


class PreviewedRowSerializer(serializers.Serializer[Any]):
    """One row, and its votes or what is wrong with it."""

    file = serializers.CharField()
    row = serializers.IntegerField()
    problem = serializers.CharField()
    votes = PreviewedVoteSerializer(many=True)


class JudgmentPreviewSerializer(serializers.Serializer[Any]):
    """The first rows of a file and what they would become. Nothing is stored."""

    layout = serializers.CharField()
    title = serializers.CharField()
    question = serializers.SerializerMethodField(help_text="What the answers shown answer; null if there is none.")
    rows = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_question(self, preview: Any) -> dict[str, Any] | None:
        return preview.question.to_json() if preview.question else None

    @extend_schema_field(PreviewedRowSerializer(many=True))
    def get_rows(self, preview: Any) -> list[Any]:
        rows: list[PreviewedRow] = preview.rows
        return list(PreviewedRowSerializer(rows, many=True).data)


class JudgmentExportQuery(InputSerializer):
    """Which judgments leave, and how they are written."""

    campaign = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, required=False, help_text="Unless given, every campaign that you may read."
    )
    format = serializers.ChoiceField(choices=list(FORMATS), default="jsonl")
    is_current = serializers.BooleanField(default=False, help_text="Only those that no newer one has replaced.")
    purpose = serializers.ChoiceField(choices=Slot.Purpose.choices, required=False)
    since = serializers.DateTimeField(required=False, help_text="Given at this time or later.")
