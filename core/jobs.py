"""How a job moves: queued → running → finished, failed or cancelled. Only `core.pauses` writes these columns too.

The row is the truth and the Celery message is a doorbell: ringing it twice is harmless, and a lost ring is repeated by
the reaper. A worker owns a row while its attempt number is the row's; once the reaper has given the row away, every
write of the older attempt raises `StaleAttempt`.
"""

import logging
import os
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TypeVar

from celery import current_app
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from core import device_leases
from core.errors import ConcordError, IllegalTransition
from core.models import Job, PausableJob
from core.querysets import lost, unheard

log = logging.getLogger(__name__)
J = TypeVar("J", bound=Job)
LOG_TAIL_CHARACTERS = 16_000
BEATS_PER_STALE = 4  # heartbeats within the time after which a job counts as lost
UNHEARD_SECONDS = 60.0  # a queued job is rung again after this long


class StaleAttempt(Exception):
    """Another worker owns the row now; this one must stop without writing anything."""


class JobCancelled(Exception):
    """Somebody asked for the job to stop, and the runner noticed."""


class JobPaused(Exception):
    """Somebody asked for the job to pause, and the runner has saved its state."""


class JobFailed(ConcordError):
    """A runner's named failure: `kind` is stored on the row for people and for retry policies."""

    title = "The job failed"

    def __init__(self, detail: str, *, failure_kind: str, log_tail: str = "") -> None:
        super().__init__(detail)
        self.failure_kind = failure_kind
        self.log_tail = log_tail


def enqueue(job: Job) -> None:
    """Ring the doorbell once the surrounding transaction has committed."""
    type(job)._default_manager.filter(pk=job.pk).update(queued_at=timezone.now())
    transaction.on_commit(lambda: ring(job))


def ring(job: Job) -> None:
    """Send the message that makes a worker look at the row."""
    current_app.send_task(job.task_name, args=[job.pk], queue=job.wanted_queue())


def claim(model: type[J], pk: int, *, now: datetime | None = None) -> J | None:
    """Take a queued row by compare-and-swap. None if another worker has it or it has ended."""
    now = now or timezone.now()
    won = model._default_manager.filter(pk=pk, status=Job.Status.QUEUED).update(
        status=Job.Status.RUNNING,
        claimed_by=f"{socket.gethostname()}:{os.getpid()}",
        attempt=F("attempt") + 1,
        heartbeat_at=now,
        started_at=now,
        finished_at=None,
        failure_kind="",
        error="",
    )
    if not won:
        return None
    job: J = model._default_manager.get(pk=pk)
    return job


def renew(job: Job, *, num_done: int | None = None, num_total: int | None = None, log_tail: str | None = None) -> None:
    """Show life and progress; inside a transaction, everything else in it is undone if the row is lost.

    Raises `StaleAttempt` if another attempt owns the row.
    """
    changes: dict[str, object] = {"heartbeat_at": timezone.now()}
    if num_done is not None:
        changes["num_done"] = job.num_done = num_done
    if num_total is not None:
        changes["num_total"] = job.num_total = num_total
    if log_tail is not None:
        changes["log_tail"] = job.log_tail = log_tail[-LOG_TAIL_CHARACTERS:]
    if not _held_by(job).update(**changes):
        raise StaleAttempt(f"{job._meta.label} {job.pk}: attempt {job.attempt} no longer owns the row")


def forgive_losses(job: Job) -> None:
    """The job got further than ever, and what it has is safe: the workers that it lost before count no longer."""
    _held_by(job).filter(num_lost__gt=0).update(num_lost=0)


def beat(job: Job, *, num_done: int | None = None, num_total: int | None = None, log_tail: str | None = None) -> None:
    """Show life and progress, outside transactions.

    Raises `StaleAttempt`, `JobCancelled` or `JobPaused` if it should stop, `JobFailed` if others have its devices.
    """
    renew(job, num_done=num_done, num_total=num_total, log_tail=log_tail)
    if _held_by(job).filter(is_cancel_requested=True).exists():
        raise JobCancelled
    if isinstance(job, PausableJob) and _held_by(job).filter(is_pause_requested=True).exists():
        raise JobPaused
    if job.device_keys and device_leases.held_by(job).count() < len(job.device_keys):
        raise JobFailed(
            "The lease of its device ran out while the worker showed no life, and another job took it. Start it again.",
            failure_kind="device-lost",
        )


def finish(job: Job) -> None:
    """running → finished. Raises `StaleAttempt` if another attempt owns the row."""
    _end(job, status=Job.Status.FINISHED, num_done=job.num_total or job.num_done)


def fail(job: Job, *, failure_kind: str, error: str, log_tail: str = "") -> None:
    """running → failed, with the cause."""
    tail = (log_tail or job.log_tail)[-LOG_TAIL_CHARACTERS:]
    _end(job, status=Job.Status.FAILED, failure_kind=failure_kind, error=error, log_tail=tail)


def request_cancel(job: Job) -> None:
    """Cancel a waiting job at once; ask a running one to stop. Raises `IllegalTransition` once it has ended."""
    rows = type(job)._default_manager.filter(pk=job.pk)
    waiting = rows.filter(status__in=(Job.Status.QUEUED, Job.Status.PAUSED))
    if waiting.update(status=Job.Status.CANCELLED, is_cancel_requested=True, finished_at=timezone.now()):
        return
    if not rows.filter(status=Job.Status.RUNNING).update(is_cancel_requested=True):
        raise IllegalTransition(f"{job._meta.verbose_name} {job.pk} has already ended and cannot be cancelled.")


def reopen(job: Job) -> None:
    """Let a worker take an ended job again, to do what is missing. Raises `IllegalTransition` unless it has ended."""
    ended = type(job)._default_manager.filter(pk=job.pk).exclude(status__in=Job.UNENDED)
    moved = ended.update(
        status=Job.Status.QUEUED, is_cancel_requested=False, num_lost=0, failure_kind="", error="", finished_at=None
    )
    if not moved:
        raise IllegalTransition(f"{job._meta.verbose_name} {job.pk} has not ended yet.")
    enqueue(job)


def perform(model: type[J], pk: int, runner: Callable[[J], None]) -> None:
    """The body of every job: claim the row, call the runner, record how it ended. Safe to call twice."""
    job = claim(model, pk)
    if job is None:
        log.info("%s %s is not queued; nothing to do", model._meta.label, pk)
        return
    try:
        with _heartbeat(job):
            runner(job)
        finish(job)
    except StaleAttempt as error:
        log.warning("%s", error)
    except JobCancelled:
        _end(job, status=Job.Status.CANCELLED)
    except JobPaused:
        _pause(job)
    except (SystemExit, KeyboardInterrupt):  # the worker is being shut down
        _hand_back(job)
        raise
    except JobFailed as error:
        fail(job, failure_kind=error.failure_kind, error=error.detail, log_tail=error.log_tail)
        raise
    except ConcordError as error:
        fail(job, failure_kind=error.kind, error=error.detail)
        raise
    except Exception as error:
        fail(
            job,
            failure_kind="unknown",
            error=f"{type(error).__name__}: {error}",
            log_tail=traceback.format_exc(),
        )
        raise


def requeue_stale(*, now: datetime | None = None) -> int:
    """Give lost jobs to other workers, ring unanswered doorbells again; returns how many rows were touched."""
    now = now or timezone.now()
    touched = 0
    for model in job_models():
        rows = model._default_manager.order_by("pk")
        for job in rows.filter(lost(now=now, stale_seconds=settings.JOB_STALE_SECONDS)):
            touched += _give_away(job, now=now)
        for job in rows.filter(unheard(now=now, seconds=UNHEARD_SECONDS)):
            enqueue(job)
            touched += 1
    return touched


def job_models() -> list[type[Job]]:
    """Every concrete job model that has a task of its own."""
    return [model for model in apps.get_models() if issubclass(model, Job) and hasattr(model, "task_name")]


@contextmanager
def _heartbeat(job: Job) -> Iterator[None]:
    """Show life from a thread while the runner works, so that a long step is not mistaken for a dead worker."""
    has_ended = threading.Event()
    thread = threading.Thread(target=_show_life, args=(job, has_ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        has_ended.set()
        thread.join()


def _show_life(job: Job, has_ended: threading.Event) -> None:
    try:
        while not has_ended.wait(settings.JOB_STALE_SECONDS / BEATS_PER_STALE):
            _held_by(job).update(heartbeat_at=timezone.now())
            device_leases.renew(job)
    except DatabaseError as error:  # the runner meets the same trouble, and its own calls say what to do about it
        log.warning("%s %s could not show life: %s", job._meta.label, job.pk, error)
    finally:
        connection.close()


def _held_by(job: J) -> QuerySet[J]:
    """This row, provided that the attempt which `job` was read under still owns it."""
    return type(job)._default_manager.filter(pk=job.pk, attempt=job.attempt, status=Job.Status.RUNNING)


def _give_away(job: Job, *, now: datetime) -> int:
    """Requeue a lost job, or end it if it was asked to stop or has lost too many workers already."""
    rows = _held_by(job).filter(heartbeat_at=job.heartbeat_at)
    if job.is_cancel_requested:
        return rows.update(status=Job.Status.CANCELLED, finished_at=now)
    if isinstance(job, PausableJob) and job.is_pause_requested:
        return _held_by(job).update(status=Job.Status.PAUSED, is_pause_requested=False)
    if job.num_lost + 1 >= settings.JOB_MAX_ATTEMPTS:
        error = f"{job.num_lost + 1} workers stopped without a word ({job.claimed_by} was the last)."
        return rows.update(status=Job.Status.FAILED, failure_kind="worker-lost", error=error, finished_at=now)
    moved = rows.update(status=Job.Status.QUEUED, queued_at=now, num_lost=F("num_lost") + 1)
    if moved:
        log.warning("%s %s lost its worker %s: queued again", job._meta.label, job.pk, job.claimed_by)
        transaction.on_commit(lambda: ring(job))
    return moved


def _hand_back(job: Job) -> None:
    """Let another worker go on at once."""
    if _held_by(job).update(status=Job.Status.QUEUED, queued_at=timezone.now()):
        log.info("%s %s is handed back: this worker stops", job._meta.label, job.pk)
        ring(job)


def _end(job: Job, *, status: Job.Status, **changes: object) -> None:
    now = timezone.now()
    ended = _held_by(job).update(status=status, finished_at=now, heartbeat_at=now, **changes)
    if not ended:
        raise StaleAttempt(f"{job._meta.label} {job.pk}: attempt {job.attempt} may not end it")
    job.status = status


def _pause(job: Job) -> None:
    now = timezone.now()
    changes = {"status": Job.Status.PAUSED, "heartbeat_at": now}
    if not isinstance(job, PausableJob) or not _held_by(job).update(**changes, is_pause_requested=False):
        raise StaleAttempt(f"{job._meta.label} {job.pk}: attempt {job.attempt} may not pause it")
    job.status = Job.Status.PAUSED
