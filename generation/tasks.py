"""Doorbells of generation."""

from celery import shared_task

from core import jobs
from generation.models import SamplingRun


@shared_task
def run_sampling(pk: int) -> None:
    """Carry out the sampling run, unless somebody else does."""
    from generation import runner

    jobs.perform(SamplingRun, pk, runner.sample)
