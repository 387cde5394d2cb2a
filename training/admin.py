"""Training runs, metrics and checkpoints in the admin."""

from django.contrib import admin

from accounts.admin import JobAdmin, RecordAdmin, RecordInline
from training.models import Checkpoint, DataReport, Metric, Retraining, SampleText, TrainingRun


class CheckpointInline(RecordInline):
    """What a run left."""

    model = Checkpoint


@admin.register(TrainingRun)
class TrainingRunAdmin(JobAdmin):
    """Training runs."""

    list_display = ("id", "name", "workspace", "algorithm", "status", "percent", "attempt", "created_at")
    list_filter = ("algorithm", "status", "workspace")
    inlines = (CheckpointInline,)


@admin.register(DataReport)
class DataReportAdmin(JobAdmin):
    """Reports on data."""

    editable = ()
    list_display = ("id", "algorithm", "dataset", "prompt_set", "model", "status", "created_at")
    list_filter = ("algorithm", "status", "workspace")
    search_fields = ("dataset__name", "prompt_set__name")


@admin.register(Metric)
class MetricAdmin(RecordAdmin):
    """Numbers of steps."""

    list_display = ("run", "kind", "step", "values", "recorded_at")
    list_filter = ("kind",)
    search_fields = ("run__name",)
    list_select_related = ("run",)


@admin.register(SampleText)
class SampleTextAdmin(RecordAdmin):
    """What policies said."""

    list_display = ("run", "step", "prompt", "text")
    search_fields = ("run__name", "prompt", "text")
    list_select_related = ("run",)


@admin.register(Checkpoint)
class CheckpointAdmin(RecordAdmin):
    """Checkpoints."""

    list_display = ("run", "step", "is_final", "language_model", "created_at")
    list_filter = ("is_final",)
    search_fields = ("run__name", "language_model__name")
    list_select_related = ("run", "language_model")
    is_deletable = False


@admin.register(Retraining)
class RetrainingAdmin(JobAdmin):
    """Runs trained again without some annotators."""

    list_display = ("id", "name", "workspace", "origin", "run", "status", "created_at")
    list_filter = ("status", "workspace")
    list_select_related = ("origin", "run", "workspace")
