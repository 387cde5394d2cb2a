"""Doorbells of annotation."""

from celery import shared_task

from annotation.models import ConsensusRun, Dataset, JudgingRun
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


@shared_task
def run_consensus(pk: int) -> None:
    """Carry out the consensus run, unless somebody else does."""
    from annotation import consensus

    jobs.perform(ConsensusRun, pk, consensus.aggregate)


@shared_task
def watch_quality() -> None:
    """Alert managers of open campaigns about annotators whose work deserves a look."""
    from annotation import quality_alerts

    quality_alerts.watch_open_campaigns()
