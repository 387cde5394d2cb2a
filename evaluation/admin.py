"""Evaluations and their results in the admin."""

from django.contrib import admin

from accounts.admin import JobAdmin, RecordAdmin, RecordInline
from evaluation.models import EvaluationResult, EvaluationRun


class ResultInline(RecordInline):
    """What was measured."""

    model = EvaluationResult


@admin.register(EvaluationRun)
class EvaluationRunAdmin(JobAdmin):
    """Evaluations."""

    list_display = ("id", "name", "workspace", "kind", "status", "percent", "created_at")
    list_filter = ("kind", "status", "workspace")
    inlines = (ResultInline,)


@admin.register(EvaluationResult)
class EvaluationResultAdmin(RecordAdmin):
    """Results."""

    list_display = ("run", "model", "metric", "value", "low", "high", "num_prompts", "num_items")
    list_filter = ("metric",)
    search_fields = ("run__name", "model__name")
    list_select_related = ("run", "model")
    is_deletable = False
