"""Pausing and resuming, by compare-and-swap: running or queued → paused → queued. An ended job can be resumed as well.

A running job is asked, as it is for a cancellation: its runner notices the wish at a beat, lets its process save after
the current step, and raises `JobPaused`. Its devices are free from then on.
"""

from typing import Any

from core import jobs
from core.errors import IllegalTransition
from core.models import Job, PausableJob

Status = Job.Status
RESUMABLE = (Status.PAUSED, Status.FAILED, Status.CANCELLED)


def request_pause(job: PausableJob) -> None:
    """Pause a queued job at once; ask a running one to save and stop.

    Raises `IllegalTransition` if it is paused already, has ended, or has been asked to stop for good.
    """
    rows = _row(job)
    if rows.filter(status=Status.QUEUED).update(status=Status.PAUSED):
        return
    if not rows.filter(status=Status.RUNNING, is_cancel_requested=False).update(is_pause_requested=True):
        raise IllegalTransition(f"{job._meta.verbose_name} {job.pk} is {_state(job)} and cannot be paused.")


def resume(job: PausableJob) -> None:
    """Let a worker go on with a paused, failed or cancelled job where it stopped. Raises `IllegalTransition`."""
    moved = (
        _row(job)
        .filter(status__in=RESUMABLE)
        .update(
            status=Status.QUEUED,
            is_cancel_requested=False,
            is_pause_requested=False,
            num_lost=0,
            failure_kind="",
            error="",
            finished_at=None,
        )
    )
    if not moved:
        raise IllegalTransition(
            f"{job._meta.verbose_name} {job.pk} is {_state(job)}; only what is paused, failed or cancelled can go on."
        )
    jobs.enqueue(job)


def _row(job: PausableJob) -> Any:
    return type(job)._default_manager.filter(pk=job.pk)


def _state(job: PausableJob) -> str:
    row = _row(job).get()
    if row.status != Status.RUNNING:
        return str(row.get_status_display()).lower()
    return "about to stop" if row.is_cancel_requested or row.is_pause_requested else "running"
