"""Pipelines and their steps in the admin."""

from django.contrib import admin

from accounts.admin import RecordAdmin, RecordInline
from pipeline.models import (
    PipelineRun,
    PipelineStep,
    Round,
    ScheduleFiring,
    SweptRun,
    TrainingSchedule,
    TrainingSweep,
)


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


class FiringInline(RecordInline):
    """Each time that a schedule came to fire."""

    model = ScheduleFiring
    fk_name = "schedule"
    fields = ("number", "trigger", "status", "num_new_judgments", "reason", "decision", "error")
    readonly_fields = fields


@admin.register(TrainingSchedule)
class TrainingScheduleAdmin(RecordAdmin):
    """Schedules of training; when they fire is in the periodic tasks beside them."""

    list_display = ("id", "name", "workspace", "is_active", "trigger", "algorithm", "current_model", "created_at")
    list_filter = ("is_active", "trigger", "algorithm", "workspace")
    search_fields = ("name", "current_model__name")
    list_select_related = ("workspace", "current_model")
    is_deletable = False
    inlines = (FiringInline,)


@admin.register(ScheduleFiring)
class ScheduleFiringAdmin(RecordAdmin):
    """Why schedules fired or did not, and what was decided."""

    list_display = ("id", "schedule", "number", "trigger", "status", "num_new_judgments", "created_at", "finished_at")
    list_filter = ("status", "trigger", "schedule")
    search_fields = ("schedule__name", "reason", "decision", "error")
    list_select_related = ("schedule",)
    date_hierarchy = "created_at"
    is_deletable = False


@admin.register(Round)
class RoundAdmin(RecordAdmin):
    """Rounds."""

    list_display = ("id", "number", "workspace", "model", "former", "campaign", "status", "created_at")
    list_filter = ("status", "workspace")
    search_fields = ("campaign__name", "model__name")
    list_select_related = ("workspace", "model", "former", "campaign")


class SweptRunInline(RecordInline):
    """The runs of a sweep."""

    model = SweptRun
    fields = ("number", "values", "run")
    readonly_fields = fields


@admin.register(TrainingSweep)
class TrainingSweepAdmin(RecordAdmin):
    """Sweeps of training runs."""

    list_display = ("id", "name", "workspace", "algorithm", "grid", "num_seeds", "created_at")
    list_filter = ("algorithm", "workspace")
    search_fields = ("name",)
    list_select_related = ("workspace",)
    editable = ("name",)
    inlines = (SweptRunInline,)


@admin.register(SweptRun)
class SweptRunAdmin(RecordAdmin):
    """Which run trained which point of a sweep."""

    list_display = ("sweep", "number", "values", "run")
    search_fields = ("sweep__name", "run__name")
    list_select_related = ("sweep", "run")
    is_deletable = False
