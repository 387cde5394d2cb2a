"""The foundation: errors, jobs, the outbound-URL guard, embedded services."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"
