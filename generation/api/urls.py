"""REST addresses of this app."""

from django.urls import path

from accounts.api.viewsets import CANCEL, LIST, MANY, ONE
from generation.api.views import (
    CompletionViewSet,
    ModelViewSet,
    PromptSetViewSet,
    PromptViewSet,
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
    path("sampling-runs", SamplingRunViewSet.as_view(MANY), name="api-sampling-runs"),
    path("sampling-runs/<int:pk>", SamplingRunViewSet.as_view(ONE), name="api-sampling-run"),
    path("sampling-runs/<int:pk>/cancel", SamplingRunViewSet.as_view(CANCEL), name="api-cancel-sampling"),
    path(
        "sampling-runs/<int:sampling_run>/completions",
        CompletionViewSet.as_view(LIST),
        name="api-completions",
    ),
]
