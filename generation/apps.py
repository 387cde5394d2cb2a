"""Prompts, language models, and the completions sampled from them."""

from django.apps import AppConfig


class GenerationConfig(AppConfig):
    name = "generation"
