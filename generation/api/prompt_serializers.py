"""Imports of prompts, in and out."""

from typing import Any

from rest_framework import serializers

from accounts.api.fields import InputSerializer
from generation.api.serializers import MessageSerializer
from generation.prompt_import.columns import ColumnMapping
from generation.prompt_import.dialogues import TURNS
from generation.prompt_import.layouts import TITLES, ImportOptions

MAX_PREVIEWED = 100


class PromptSourceQuery(InputSerializer):
    """How a file of prompts is read."""

    layout = serializers.ChoiceField(choices=list(TITLES), default="", help_text="Unless given, it is recognised.")
    turns = serializers.ChoiceField(
        choices=TURNS, default="last", help_text="Which turns of the user become prompts, in conversations."
    )
    has_references = serializers.BooleanField(default=True, help_text="Replies in the file become references.")
    prompt = serializers.CharField(default="", help_text="A table's column that holds the prompt.")
    system = serializers.CharField(default="", help_text="The column of the system turn.")
    reference = serializers.CharField(default="", help_text="The column of the reference answer.")
    tags = serializers.CharField(default="", help_text="Columns of tags, with commas between.")
    is_sensitive = serializers.CharField(default="", help_text="The column that says whether a prompt is sensitive.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The words about reading as one `options`, the rest as it is."""
        tags = tuple(name for name in attrs.pop("tags").split(",") if name)
        named = {name: attrs.pop(name) for name in ("prompt", "system", "reference", "is_sensitive")}
        columns = ColumnMapping(**named, tags=tags)
        reading = {name: attrs.pop(name) for name in ("layout", "turns", "has_references")}
        return {**attrs, "options": ImportOptions(**reading, columns=columns)}


class PromptPreviewQuery(PromptSourceQuery):
    """How much of a file is looked at."""

    rows = serializers.IntegerField(min_value=1, max_value=MAX_PREVIEWED, default=10)


class PromptImportQuery(PromptSourceQuery):
    """How strict the import is."""

    skip_malformed = serializers.BooleanField(default=False, help_text="Pass over malformed rows and report them.")
    skip_near_duplicates = serializers.BooleanField(
        default=False, help_text="Pass over prompts that say what an earlier one says."
    )


class PromptRowProblemSerializer(serializers.Serializer[Any]):
    """A row that could not be imported."""

    file = serializers.CharField()
    row = serializers.IntegerField(help_text="Line, element of an array, or row of a table; from 1.")
    reason = serializers.CharField()


class ColumnsSerializer(serializers.Serializer[Any]):
    """Which columns of a table were read as what; empty where none."""

    prompt = serializers.CharField()
    system = serializers.CharField()
    reference = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    is_sensitive = serializers.CharField()


class PromptImportSerializer(serializers.Serializer[Any]):
    """What an import of prompts did."""

    prompt_set = serializers.IntegerField(source="prompt_set.pk")
    layout = serializers.CharField()
    columns = ColumnsSerializer()
    num_rows = serializers.IntegerField()
    num_without_prompts = serializers.IntegerField(help_text="Rows that hold no prompt.")
    num_malformed = serializers.IntegerField(help_text="Rows that were passed over.")
    num_added = serializers.IntegerField()
    num_known = serializers.IntegerField(help_text="Were in the set already, by fingerprint.")
    num_repeated = serializers.IntegerField(help_text="Stood in the files before, by fingerprint.")
    num_near_duplicates = serializers.IntegerField(help_text="Say what an earlier prompt says; added unless skipped.")
    problems = PromptRowProblemSerializer(many=True, help_text="The first thousand rows that were passed over.")


class NewPromptSerializer(serializers.Serializer[Any]):
    """A prompt as it would be stored."""

    messages = MessageSerializer(many=True)
    reference = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    is_sensitive = serializers.BooleanField()


class PreviewedPromptRowSerializer(serializers.Serializer[Any]):
    """One row, and its prompts or what is wrong with it."""

    file = serializers.CharField()
    row = serializers.IntegerField(source="number")
    problem = serializers.CharField()
    prompts = NewPromptSerializer(many=True)


class PromptPreviewSerializer(serializers.Serializer[Any]):
    """The first rows of a file and the prompts in them. Nothing is stored."""

    layout = serializers.CharField()
    title = serializers.CharField()
    columns_found = serializers.ListField(child=serializers.CharField())
    columns = ColumnsSerializer()
    rows = PreviewedPromptRowSerializer(many=True)
