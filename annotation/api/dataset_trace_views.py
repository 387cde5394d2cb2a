"""Who decided a dataset, and the judgments behind its rows, over REST."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.fields import InputSerializer, VisibleField
from accounts.api.viewsets import ApiViewSet
from annotation import dataset_trace
from annotation.models import Annotator, Dataset, Judgment


class AnnotatorShareSerializer(serializers.Serializer[Any]):
    """What one annotator has to do with a dataset."""

    annotator = serializers.IntegerField(source="annotator.pk")
    name = serializers.CharField(source="annotator.name")
    kind = serializers.CharField(source="annotator.kind")
    pseudonym = serializers.UUIDField(source="annotator.pseudonym", help_text="Stands in the dataset's files.")
    num_judgments = serializers.IntegerField()
    num_rows = serializers.IntegerField(help_text="Rows that rest on a judgment of theirs.")
    num_alone = serializers.IntegerField(help_text="Rows that rest on nothing else.")


class TracedJudgmentSerializer(serializers.ModelSerializer[Judgment]):
    """A judgment behind a row."""

    campaign = serializers.IntegerField(source="comparison.campaign_id")
    judge_version = serializers.SerializerMethodField(help_text="Of an LLM judge; null: a person, or a scripted judge.")
    template_hash = serializers.SerializerMethodField(help_text="Of the LLM judge's prompt; empty without one.")

    class Meta:
        model = Judgment
        fields = [
            "id",
            "campaign",
            "comparison",
            "annotator",
            "purpose",
            "answer",
            "display_order",
            "question_version",
            "guideline_version",
            "judge_version",
            "template_hash",
            "is_current",
            "created_at",
        ]

    def get_judge_version(self, judgment: Judgment) -> int | None:
        verdict = getattr(judgment, "judge_verdict", None)
        return verdict.version.number if verdict and verdict.version else None

    def get_template_hash(self, judgment: Judgment) -> str:
        verdict = getattr(judgment, "judge_verdict", None)
        return verdict.version.template_hash if verdict and verdict.version else ""


class TracedRowSerializer(serializers.Serializer[Any]):
    """A row of the dataset's file with its judgments."""

    number = serializers.IntegerField(help_text="From 0, in file order.")
    row = serializers.DictField()
    judgments = TracedJudgmentSerializer(many=True)


class TracedRowsSerializer(serializers.Serializer[Any]):
    """One page of rows."""

    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = TracedRowSerializer(many=True)


class TraceQuery(InputSerializer):
    """Whose rows."""

    annotator = VisibleField(queryset=Annotator.objects.all(), allow_null=True, default=None)
    limit = serializers.IntegerField(required=False)
    offset = serializers.IntegerField(required=False)


class DatasetTraceViewSet(ApiViewSet):
    """From a dataset's rows to the judgments that they were made of."""

    queryset = Dataset.objects.prefetch_related("campaigns")
    serializer_class = AnnotatorShareSerializer

    @extend_schema(responses=AnnotatorShareSerializer(many=True), filters=False)
    def annotators(self, request: Request, pk: int) -> Response:
        """Who decided the rows of a finished dataset, the busiest first."""
        return Response(AnnotatorShareSerializer(dataset_trace.shares(self.get_object()), many=True).data)

    @extend_schema(
        parameters=[
            OpenApiParameter("annotator", int, description="Only rows that rest on a judgment of theirs."),
            OpenApiParameter("limit", int, description="Rows a page, at most 1,000."),
            OpenApiParameter("offset", int, description="Rows before the page."),
        ],
        responses=TracedRowsSerializer,
        filters=False,
    )
    def judgments(self, request: Request, pk: int) -> Response:
        """The rows of a finished dataset, each with the judgments that it was made of."""
        dataset = self.get_object()
        annotator = self.read_query(TraceQuery)["annotator"]
        numbers = self.paginate_queryset(dataset_trace.row_numbers(dataset, annotator=annotator))
        rows = dataset_trace.traced(dataset, numbers or [])
        return self.get_paginated_response(TracedRowSerializer(rows, many=True).data)
