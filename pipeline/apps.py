"""The main job: from prompts to a better model, one durable step after another."""

from django.apps import AppConfig


class PipelineConfig(AppConfig):
    name = "pipeline"
