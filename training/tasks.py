"""Doorbells of training."""

from celery import shared_task

from core import jobs
from generation.models import ScoringRun
from training.models import DataReport, Retraining, TrainingRun


@shared_task
def run_training(pk: int) -> None:
    """Supervise the training run, unless somebody else does."""
    from training import runner

    jobs.perform(TrainingRun, pk, runner.train)


@shared_task
def run_scoring(pk: int) -> None:
    """Carry out the scoring run, unless somebody else does."""
    from training import scoring_runner

    jobs.perform(ScoringRun, pk, scoring_runner.score)


@shared_task
def run_retraining(pk: int) -> None:
    """Freeze without some annotators and start the run, unless somebody else does."""
    from training import retraining

    jobs.perform(Retraining, pk, retraining.retrain)


@shared_task
def run_data_report(pk: int) -> None:
    """Write the report, unless somebody else does."""
    from training import report_runner

    jobs.perform(DataReport, pk, report_runner.write_report)
