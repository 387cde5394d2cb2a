"""Addresses of prompt sets and imports of prompts."""

from django.urls import path

from frontend.views import generation, prompt_import

urlpatterns = [
    path("", prompt_import.prompt_sets, name="prompt-sets"),
    path("<int:set_id>/", generation.prompt_set, name="prompt-set"),
    path("import/", prompt_import.import_page, name="import-prompts"),
    path("import/preview/", prompt_import.preview_import, name="preview-prompts"),
    path("import/run/", prompt_import.import_prompts, name="run-prompt-import"),
]
