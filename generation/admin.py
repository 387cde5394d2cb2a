"""Prompts, models, sampling runs and completions in the admin."""

from django.contrib import admin

from accounts.admin import JobAdmin, RecordAdmin, RecordInline
from generation.models import (
    Completion,
    CompletionFlag,
    CompletionScore,
    Constitution,
    ConstitutionVersion,
    EndpointCheck,
    GuardRun,
    GuardVerdict,
    LanguageModel,
    Prompt,
    PromptDiversity,
    PromptSet,
    Revision,
    RevisionRun,
    SamplingArm,
    SamplingFailure,
    SamplingRun,
    ScoringRun,
    ServingRun,
)


@admin.register(PromptSet)
class PromptSetAdmin(RecordAdmin):
    """Prompt sets. The held-out fraction is fixed: what was trained on cannot become held out."""

    list_display = ("name", "workspace", "held_out_fraction", "source", "licence", "created_at")
    list_filter = ("workspace",)
    search_fields = ("name", "description", "source")
    list_select_related = ("workspace",)
    editable = ("name", "description", "source", "licence")


@admin.register(Prompt)
class PromptAdmin(RecordAdmin):
    """Prompts. Their text is their identity; only the warning can be changed."""

    list_display = ("id", "prompt_set", "last_turn", "is_sensitive")
    list_filter = ("is_sensitive", "prompt_set")
    search_fields = ("messages", "fingerprint")
    list_select_related = ("prompt_set",)
    editable = ("is_sensitive",)


@admin.register(LanguageModel)
class LanguageModelAdmin(RecordAdmin):
    """Language models. Where one lies is part of every completion's provenance."""

    list_display = ("name", "workspace", "kind", "source", "location", "parent", "created_at")
    list_filter = ("kind", "source", "workspace")
    search_fields = ("name", "location")
    list_select_related = ("workspace", "parent")
    editable = ("name", "prompt_price", "completion_price")


@admin.register(EndpointCheck)
class EndpointCheckAdmin(RecordAdmin):
    """Whether the servers of served models are well."""

    list_display = ("model", "is_up", "checked_at", "latency_ms", "problem")
    list_filter = ("is_up",)
    search_fields = ("model__name", "problem")
    list_select_related = ("model",)


class SamplingArmInline(RecordInline):
    """The models of a sampling run."""

    model = SamplingArm


@admin.register(SamplingRun)
class SamplingRunAdmin(JobAdmin):
    """Sampling runs."""

    inlines = (SamplingArmInline,)


@admin.register(SamplingArm)
class SamplingArmAdmin(RecordAdmin):
    """Models in sampling runs."""

    list_display = ("run", "position", "label", "num_completions", "temperature", "top_p", "max_new_tokens", "engine")
    list_filter = ("engine",)
    search_fields = ("run__name", "model__name", "name")
    list_select_related = ("run", "model")
    is_deletable = False


@admin.register(SamplingFailure)
class SamplingFailureAdmin(RecordAdmin):
    """Prompts that could not be sampled."""

    list_display = ("run", "arm", "prompt", "kind", "num_attempts", "last_at")
    list_filter = ("kind",)
    search_fields = ("run__name", "message")
    list_select_related = ("run", "arm__model", "prompt")
    is_deletable = False


@admin.register(CompletionFlag)
class CompletionFlagAdmin(RecordAdmin):
    """What is remarkable about completions."""

    list_display = ("completion", "kind", "detail")
    list_filter = ("kind",)
    search_fields = ("detail",)
    list_select_related = ("completion",)
    is_deletable = False


@admin.register(Constitution)
class ConstitutionAdmin(RecordAdmin):
    """Constitutions."""

    list_display = ("name", "workspace", "created_at")
    list_filter = ("workspace",)
    search_fields = ("name",)
    list_select_related = ("workspace",)
    editable = ("name",)


@admin.register(ConstitutionVersion)
class ConstitutionVersionAdmin(RecordAdmin):
    """Their principles. What runs were made with is never changed."""

    list_display = ("constitution", "number", "created_by", "created_at")
    search_fields = ("constitution__name",)
    list_select_related = ("constitution", "created_by")
    is_deletable = False


@admin.register(RevisionRun)
class RevisionRunAdmin(JobAdmin):
    """Revision runs."""


@admin.register(Revision)
class RevisionAdmin(RecordAdmin):
    """Rounds of critique and revision."""

    list_display = ("run", "original", "step", "principle")
    search_fields = ("principle", "critique")
    list_select_related = ("run", "original")
    is_deletable = False


@admin.register(GuardRun)
class GuardRunAdmin(JobAdmin):
    """Guard runs."""


@admin.register(GuardVerdict)
class GuardVerdictAdmin(RecordAdmin):
    """What guards said."""

    list_display = ("id", "run", "is_flagged", "labels")
    list_filter = ("is_flagged",)
    search_fields = ("reply", "run__name")
    list_select_related = ("run",)
    is_deletable = False


@admin.register(ScoringRun)
class ScoringRunAdmin(JobAdmin):
    """Scoring runs."""


@admin.register(CompletionScore)
class CompletionScoreAdmin(RecordAdmin):
    """What reward models said."""

    list_display = ("id", "run", "completion", "value", "variance")
    search_fields = ("run__name",)
    list_select_related = ("run", "completion")
    is_deletable = False


@admin.register(PromptDiversity)
class PromptDiversityAdmin(RecordAdmin):
    """How different the completions of one prompt are."""

    list_display = ("run", "prompt", "distinct_1", "distinct_2", "mean_distance", "self_bleu")
    search_fields = ("run__name",)
    list_select_related = ("run", "prompt")
    is_deletable = False


@admin.register(Completion)
class CompletionAdmin(RecordAdmin):
    """Completions."""

    list_display = ("id", "prompt", "origin", "model", "index", "__str__", "duplicate_of")
    list_filter = ("origin", "finish_reason", "model")
    search_fields = ("text",)
    list_select_related = ("prompt", "model", "duplicate_of")
    is_deletable = False


@admin.register(ServingRun)
class ServingRunAdmin(JobAdmin):
    """vLLM servers that were started from a page."""

    list_display = ("id", "name", "workspace", "model", "url", "status", "created_at")
    list_select_related = ("workspace", "model")
