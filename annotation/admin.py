"""Campaigns, slots, judgments and datasets in the admin. Judgments are append-only here too."""

from django.contrib import admin

from accounts.admin import JobAdmin, RecordAdmin, RecordInline
from annotation.models import (
    Alert,
    Annotator,
    Campaign,
    Candidate,
    Comparison,
    Consensus,
    ConsensusRun,
    Dataset,
    Enrolment,
    GuidelineVersion,
    JudgeCall,
    JudgeVerdict,
    JudgeVersion,
    JudgingRun,
    Judgment,
    QuestionVersion,
    Routing,
    Skip,
    Slot,
)


class EnrolmentInline(RecordInline):
    """Who annotates."""

    model = Enrolment


@admin.register(Campaign)
class CampaignAdmin(RecordAdmin):
    """Campaigns. Status, question and guidelines move through services, which keep their versions."""

    list_display = ("name", "workspace", "status", "overlap", "created_by", "created_at")
    list_filter = ("status", "workspace")
    search_fields = ("name", "guidelines")
    list_select_related = ("workspace", "created_by")
    editable = ("name", "lease_seconds")
    inlines = (EnrolmentInline,)


@admin.register(Annotator)
class AnnotatorAdmin(RecordAdmin):
    """People, judges and imported labels."""

    list_display = ("name", "workspace", "kind", "user", "protocol", "created_at")
    list_filter = ("kind", "workspace")
    search_fields = ("name", "user__username")
    list_select_related = ("workspace", "user")
    editable = ("name",)


@admin.register(Enrolment)
class EnrolmentAdmin(RecordAdmin):
    """Who annotates where; a pause and its reason can be set here."""

    list_display = ("campaign", "annotator", "is_active", "pause_reason")
    list_filter = ("is_active", "campaign")
    search_fields = ("annotator__name", "campaign__name")
    list_select_related = ("campaign", "annotator")
    editable = ("is_active", "pause_reason")


class CandidateInline(RecordInline):
    """What is compared."""

    model = Candidate


class SlotInline(RecordInline):
    """The judgments that it wants."""

    model = Slot
    fields = ("number", "annotator", "leased_until", "judged_at")
    readonly_fields = fields


@admin.register(Comparison)
class ComparisonAdmin(RecordAdmin):
    """Comparisons."""

    list_display = ("id", "campaign", "prompt", "num_completions", "priority", "created_at")
    list_filter = ("campaign",)
    search_fields = ("fingerprint",)
    list_select_related = ("campaign", "prompt")
    inlines = (CandidateInline, SlotInline)
    is_deletable = False


@admin.register(Candidate)
class CandidateAdmin(RecordAdmin):
    """Completions in comparisons."""

    list_display = ("id", "comparison", "position", "completion")
    search_fields = ("completion__text",)
    list_select_related = ("comparison", "completion")
    is_deletable = False


@admin.register(Slot)
class SlotAdmin(RecordAdmin):
    """Slots and who holds them. The token, which proves a lease, is not shown."""

    list_display = ("id", "campaign", "comparison", "number", "annotator", "leased_until", "judged_at")
    list_filter = ("campaign", "annotator", ("judged_at", admin.EmptyFieldListFilter))
    search_fields = ("annotator__name",)
    list_select_related = ("campaign", "comparison", "annotator")
    exclude = ("token",)
    is_deletable = False


@admin.register(Judgment)
class JudgmentAdmin(RecordAdmin):
    """Judgments."""

    list_display = ("id", "comparison", "annotator", "answer", "is_current", "active_ms", "created_at")
    list_filter = ("is_current", "annotator", "comparison__campaign")
    search_fields = ("annotator__name", "idempotency_key")
    list_select_related = ("comparison", "annotator")
    date_hierarchy = "created_at"
    is_deletable = False


@admin.register(JudgingRun)
class JudgingRunAdmin(JobAdmin):
    """Judging runs."""

    list_display = ("id", "campaign", "annotator", "status", "percent", "attempt", "created_at")
    list_filter = ("status", "campaign")
    search_fields = ("campaign__name", "annotator__name", "error")
    list_select_related = ("campaign", "annotator")
    editable = ()


@admin.register(Dataset)
class DatasetAdmin(JobAdmin):
    """Datasets: frozen, so that nothing about one can be changed but its name."""

    list_display = ("id", "name", "workspace", "kind", "status", "num_rows", "sha256", "created_at")
    list_filter = ("status", "kind", "workspace")


@admin.register(QuestionVersion)
class QuestionVersionAdmin(RecordAdmin):
    """What campaigns asked."""

    list_display = ("campaign", "number", "created_by", "created_at")
    list_filter = ("campaign",)
    list_select_related = ("campaign", "created_by")
    is_deletable = False


@admin.register(GuidelineVersion)
class GuidelineVersionAdmin(RecordAdmin):
    """What campaigns told their annotators."""

    list_display = ("campaign", "number", "created_by", "created_at")
    list_filter = ("campaign",)
    list_select_related = ("campaign", "created_by")
    is_deletable = False


@admin.register(Skip)
class SkipAdmin(RecordAdmin):
    """What annotators would not answer, and why."""

    list_display = ("id", "campaign", "comparison", "annotator", "reason", "created_at")
    list_filter = ("campaign", "annotator")
    search_fields = ("reason", "annotator__name")
    list_select_related = ("campaign", "comparison", "annotator")


@admin.register(Alert)
class AlertAdmin(RecordAdmin):
    """What managers should know about annotators."""

    list_display = ("id", "campaign", "annotator", "kind", "message", "created_at", "resolved_at")
    list_filter = ("kind", "campaign", ("resolved_at", admin.EmptyFieldListFilter))
    search_fields = ("message", "annotator__name")
    list_select_related = ("campaign", "annotator")


@admin.register(ConsensusRun)
class ConsensusRunAdmin(JobAdmin):
    """Aggregations of judgments."""

    list_display = ("id", "campaign", "method", "status", "percent", "attempt", "created_at")
    list_filter = ("status", "method", "campaign")
    search_fields = ("campaign__name", "error")
    list_select_related = ("campaign",)
    editable = ()


@admin.register(Consensus)
class ConsensusAdmin(RecordAdmin):
    """Aggregated answers."""

    list_display = ("id", "run", "comparison", "tiers", "confidence", "is_adjudicated")
    list_filter = ("run", "is_adjudicated")
    list_select_related = ("run__campaign", "comparison")
    is_deletable = False


@admin.register(JudgeVersion)
class JudgeVersionAdmin(RecordAdmin):
    """What judges are and were."""

    list_display = ("judge", "number", "model", "adapter", "spec_hash", "created_by", "created_at")
    list_filter = ("model",)
    search_fields = ("judge__name", "spec_hash")
    list_select_related = ("judge", "model", "created_by")
    is_deletable = False


@admin.register(JudgeCall)
class JudgeCallAdmin(RecordAdmin):
    """What judges were asked and what they replied."""

    list_display = ("id", "run", "version", "comparison", "attempt", "outcome", "num_tokens", "cost", "created_at")
    list_filter = ("outcome", "purpose")
    search_fields = ("version__judge__name", "reason", "key")
    list_select_related = ("run__campaign", "run__annotator", "version__judge", "comparison")
    is_deletable = False


@admin.register(JudgeVerdict)
class JudgeVerdictAdmin(RecordAdmin):
    """What judges' calls came to."""

    list_display = ("id", "run", "comparison", "purpose", "answer", "margin", "is_flipped", "created_at")
    list_filter = ("is_flipped", "purpose")
    search_fields = ("run__annotator__name", "reason")
    list_select_related = ("run__campaign", "run__annotator", "comparison")
    is_deletable = False


@admin.register(Routing)
class RoutingAdmin(RecordAdmin):
    """Which campaigns share their comparisons between a judge and people."""

    list_display = ("campaign", "judge", "min_margin", "flipped_to_people", "audit_share", "created_at")
    search_fields = ("campaign__name", "judge__name")
    list_select_related = ("campaign", "judge")
    is_deletable = False
