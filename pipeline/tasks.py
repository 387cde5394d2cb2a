"""Doorbells of pipelines."""

import logging

from celery import shared_task

from core.errors import ConcordError
from pipeline import services
from pipeline.models import PipelineRun

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
