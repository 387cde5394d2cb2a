"""Training runs, their metrics and their checkpoints."""

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"
