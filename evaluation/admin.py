"""Evaluations and their results in the admin."""

from django.contrib import admin

from accounts.admin import JobAdmin, RecordAdmin, RecordInline
from evaluation.models import EvaluationResult, EvaluationRun, JudgedPair, PairCall


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


@admin.register(JudgedPair)
class JudgedPairAdmin(RecordAdmin):
    """What LLM judges said of two completions."""

    list_display = ("id", "run", "subject", "ours", "theirs", "state", "outcome", "is_flipped")
    list_filter = ("state", "is_flipped")
    search_fields = ("run__name", "reason")
    list_select_related = ("run", "subject", "ours", "theirs")
    is_deletable = False


@admin.register(PairCall)
class PairCallAdmin(RecordAdmin):
    """Which calls each pair took."""

    list_display = ("id", "pair", "call")
    search_fields = ("pair__run__name",)
    list_select_related = ("pair__run", "call__version__judge")
    is_deletable = False
