"""Evaluation runs and their results."""

from django.apps import AppConfig


class EvaluationConfig(AppConfig):
    name = "evaluation"
