"""The Celery application: `celery -A config.celery worker -Q light`."""

import os

from core.embedded import provide_environment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
provide_environment()

from celery import Celery  # noqa: E402 -- the environment must be complete before settings are read

app = Celery("concord")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
