"""Doorbells of annotation."""

from celery import shared_task

from annotation.models import Dataset, JudgingRun
from core import jobs


@shared_task
def run_judging(pk: int) -> None:
    """Carry out the judging run, unless somebody else does."""
    from annotation import runner

    jobs.perform(JudgingRun, pk, runner.judge)


@shared_task
def freeze_dataset(pk: int) -> None:
    """Freeze the dataset, unless somebody else does."""
    from annotation import runner

    jobs.perform(Dataset, pk, runner.freeze)
