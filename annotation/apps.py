"""Campaigns, comparisons, slots, judgments, judges and frozen datasets."""

from django.apps import AppConfig


class AnnotationConfig(AppConfig):
    name = "annotation"

    def ready(self) -> None:
        """Comparisons become sensitive when a guard flags what they are about."""
        from annotation import categories
        from generation import guard_services

        guard_services.listen(categories.add_flagged)
