"""The Celery application: `celery -A config.celery worker -Q light`."""

import os
import signal
from types import FrameType
from typing import Any

from core.embedded import provide_environment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# torch's threads wait for each other by sleeping, not by spinning: on a machine that does anything else besides,
# spinning makes small models ten times slower. Training processes inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
provide_environment()

from celery import Celery  # noqa: E402 -- the environment must be complete before settings are read
from celery.signals import beat_init, worker_process_init  # noqa: E402

app = Celery("concord")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def stop_in_order(**kwargs: Any) -> None:
    """A pool process that is told to go raises SystemExit, so that its job is handed back instead of lost."""
    signal.signal(signal.SIGTERM, _raise_system_exit)


@beat_init.connect
def stop_beat_in_order(**kwargs: Any) -> None:
    """Beat saves its schedule after its loop; Celery's own handler would do so in the middle of a query, and hang."""
    signal.signal(signal.SIGTERM, _raise_system_exit)


def _raise_system_exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
