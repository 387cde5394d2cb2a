"""Doorbells of training."""

from celery import shared_task

from core import jobs
from training.models import TrainingRun


@shared_task
def run_training(pk: int) -> None:
    """Supervise the training run, unless somebody else does."""
    from training import runner

    jobs.perform(TrainingRun, pk, runner.train)
