"""Doorbells of pipelines."""

import logging

from celery import shared_task

from core.errors import ConcordError
from pipeline import rounds, services
from pipeline.models import PipelineRun, ScheduleFiring, TrainingSchedule
from pipeline.schedules import firings, timing

log = logging.getLogger(__name__)


@shared_task
def advance_waiting_pipelines() -> None:
    """Advance every running pipeline. A failing one is recorded on its row and does not hold up the others."""
    for pk in PipelineRun.objects.filter(status=PipelineRun.Status.RUNNING).values_list("pk", flat=True):
        try:
            services.advance(pk=pk)
        except ConcordError as error:
            log.warning("Pipeline run %s failed: %s", pk, error)
        except Exception:
            log.exception("Pipeline run %s failed", pk)


@shared_task
def fill_rounds() -> None:
    """Fill the campaigns of rounds whose replies are there."""
    rounds.fill_waiting()


@shared_task
def fire_at_time(schedule_id: int) -> None:
    """One of a schedule's times has come."""
    _fire(schedule_id, ScheduleFiring.Trigger.TIME)


@shared_task
def fire_at_count(schedule_id: int) -> None:
    """Look whether enough judgments are new to a schedule."""
    _fire(schedule_id, ScheduleFiring.Trigger.COUNT)


@shared_task
def advance_firings() -> None:
    """Advance every running firing. What goes wrong with one does not hold up the others."""
    for pk in ScheduleFiring.objects.filter(status=ScheduleFiring.Status.RUNNING).values_list("pk", flat=True):
        try:
            firings.advance(pk=pk)
        except Exception:
            log.exception("Firing %s could not be advanced", pk)


def _fire(schedule_id: int, asked: str) -> None:
    try:
        firings.fire(schedule_id=schedule_id, asked=asked)
    except TrainingSchedule.DoesNotExist:
        log.warning("Training schedule %s is gone; its periodic tasks are removed", schedule_id)
        timing.forget(schedule_id)
