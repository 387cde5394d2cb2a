"""REST addresses of this app."""

from django.urls import path

from accounts.api.viewsets import CANCEL, LIST, MANY, ONE
from generation.api.constitution_views import ConstitutionViewSet, RevisionRunViewSet, RevisionViewSet
from generation.api.guard_views import GuardRunViewSet, GuardVerdictViewSet
from generation.api.scoring_views import CompletionScoreViewSet, ScoringRunViewSet
from generation.api.serving_views import ServingRunViewSet
from generation.api.views import (
    CompletionViewSet,
    ModelViewSet,
    PromptSetViewSet,
    PromptViewSet,
    SamplingFailureViewSet,
    SamplingRunViewSet,
)

urlpatterns = [
    path("prompt-sets", PromptSetViewSet.as_view(MANY), name="api-prompt-sets"),
    path("prompt-sets/<int:pk>", PromptSetViewSet.as_view(ONE), name="api-prompt-set"),
    path("prompt-sets/<int:prompt_set>/prompts", PromptViewSet.as_view(MANY), name="api-prompts"),
    path(
        "prompt-sets/<int:prompt_set>/prompts/preview",
        PromptViewSet.as_view({"post": "preview"}),
        name="api-preview-prompts",
    ),
    path("models", ModelViewSet.as_view(MANY), name="api-models"),
    path("models/<int:pk>", ModelViewSet.as_view(ONE), name="api-model"),
    path("models/<int:pk>/check", ModelViewSet.as_view({"post": "check"}), name="api-check-endpoint"),
    path("guard-runs", GuardRunViewSet.as_view(MANY), name="api-guard-runs"),
    path("guard-runs/<int:pk>", GuardRunViewSet.as_view(ONE), name="api-guard-run"),
    path("guard-runs/<int:pk>/cancel", GuardRunViewSet.as_view(CANCEL), name="api-cancel-guard"),
    path("guard-runs/<int:guard_run>/verdicts", GuardVerdictViewSet.as_view(LIST), name="api-guard-verdicts"),
    path("constitutions", ConstitutionViewSet.as_view(MANY), name="api-constitutions"),
    path("constitutions/<int:pk>", ConstitutionViewSet.as_view(ONE), name="api-constitution"),
    path(
        "constitutions/<int:pk>/versions",
        ConstitutionViewSet.as_view({"get": "versions", "post": "revise"}),
        name="api-constitution-versions",
    ),
    path("revision-runs", RevisionRunViewSet.as_view(MANY), name="api-revision-runs"),
    path("revision-runs/<int:pk>", RevisionRunViewSet.as_view(ONE), name="api-revision-run"),
    path("revision-runs/<int:pk>/cancel", RevisionRunViewSet.as_view(CANCEL), name="api-cancel-revision"),
    path("revision-runs/<int:revision_run>/revisions", RevisionViewSet.as_view(LIST), name="api-revisions"),
    path("scoring-runs", ScoringRunViewSet.as_view(MANY), name="api-scoring-runs"),
    path("scoring-runs/<int:pk>", ScoringRunViewSet.as_view(ONE), name="api-scoring-run"),
    path("scoring-runs/<int:pk>/cancel", ScoringRunViewSet.as_view(CANCEL), name="api-cancel-scoring"),
    path("scoring-runs/<int:scoring_run>/scores", CompletionScoreViewSet.as_view(LIST), name="api-scores"),
    path("serving-runs", ServingRunViewSet.as_view(MANY), name="api-serving-runs"),
    path("serving-runs/<int:pk>", ServingRunViewSet.as_view(ONE), name="api-serving-run"),
    path("serving-runs/<int:pk>/cancel", ServingRunViewSet.as_view(CANCEL), name="api-stop-serving"),
    path("sampling-runs", SamplingRunViewSet.as_view(MANY), name="api-sampling-runs"),
    path("sampling-runs/<int:pk>", SamplingRunViewSet.as_view(ONE), name="api-sampling-run"),
    path("sampling-runs/<int:pk>/cancel", SamplingRunViewSet.as_view(CANCEL), name="api-cancel-sampling"),
    path("sampling-runs/<int:pk>/retry", SamplingRunViewSet.as_view({"post": "retry"}), name="api-retry-sampling"),
    path(
        "sampling-runs/<int:sampling_run>/failures",
        SamplingFailureViewSet.as_view(LIST),
        name="api-sampling-failures",
    ),
    path(
        "sampling-runs/<int:sampling_run>/completions",
        CompletionViewSet.as_view(LIST),
        name="api-completions",
    ),
]
