"""Doorbells of evaluation."""

from celery import shared_task

from core import jobs
from evaluation.models import EvaluationRun


@shared_task
def run_evaluation(pk: int) -> None:
    """Carry out the evaluation, unless somebody else does."""
    from evaluation import runner

    jobs.perform(EvaluationRun, pk, runner.evaluate)
