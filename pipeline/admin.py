"""Pipelines and their steps in the admin."""

from django.contrib import admin

from accounts.admin import RecordAdmin, RecordInline
from pipeline.models import PipelineRun, PipelineStep


class StepInline(RecordInline):
    """The steps of a pipeline."""

    model = PipelineStep
    fields = ("number", "title", "status", "summary", "error")
    readonly_fields = fields


@admin.register(PipelineRun)
class PipelineRunAdmin(RecordAdmin):
    """Pipelines."""

    list_display = ("id", "name", "workspace", "status", "created_at", "finished_at")
    list_filter = ("status", "workspace")
    search_fields = ("name",)
    list_select_related = ("workspace",)
    editable = ("name",)
    inlines = (StepInline,)


@admin.register(PipelineStep)
class PipelineStepAdmin(RecordAdmin):
    """Steps."""

    list_display = ("pipeline_run", "number", "title", "status", "summary", "finished_at")
    list_filter = ("status", "key")
    search_fields = ("pipeline_run__name", "title", "summary")
    list_select_related = ("pipeline_run",)
    is_deletable = False
