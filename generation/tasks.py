"""Doorbells of generation."""

from celery import shared_task

from core import jobs
from generation.models import GuardRun, RevisionRun, SamplingRun, ServingRun


@shared_task
def run_sampling(pk: int) -> None:
    """Carry out the sampling run, unless somebody else does."""
    from generation import runner

    jobs.perform(SamplingRun, pk, runner.sample)


@shared_task
def run_guard(pk: int) -> None:
    """Carry out the guard run, unless somebody else does."""
    from generation import guard_runner

    jobs.perform(GuardRun, pk, guard_runner.check)


@shared_task
def run_revision(pk: int) -> None:
    """Carry out the revision run, unless somebody else does."""
    from generation import revision_runner

    jobs.perform(RevisionRun, pk, revision_runner.revise)


@shared_task
def run_serving(pk: int) -> None:
    """Keep the server until it is stopped, unless somebody else does."""
    from generation import serving_runner

    jobs.perform(ServingRun, pk, serving_runner.serve)


@shared_task
def check_endpoints() -> None:
    """Ask the servers of all served models whether they are well."""
    from generation import endpoint_checks

    endpoint_checks.check_all()
