"""Campaigns, comparisons, slots, judgments, judges and frozen datasets."""

from django.apps import AppConfig


class AnnotationConfig(AppConfig):
    name = "annotation"
