"""Jobs: claimed once, fenced by their attempt, given away when their worker falls silent."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from core import jobs
from core.errors import ConcordError, IllegalTransition
from core.jobs import JobCancelled, JobFailed, StaleAttempt
from generation.models import SamplingRun
from tests.conftest import Doorbell
from tests.factory import Factory
from training.models import TrainingRun

Capture = Callable[..., Any]


@pytest.fixture
def queued(factory: Factory) -> SamplingRun:
    return factory.sampling_run(status="queued")


@pytest.fixture
def running(queued: SamplingRun) -> SamplingRun:
    job = jobs.claim(SamplingRun, queued.pk)
    assert job is not None
    return job


def silence(job: SamplingRun, *, seconds: float = 3600) -> None:
    """Let the job's last heartbeat lie in the past."""
    SamplingRun.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=seconds))


def row(job: SamplingRun) -> SamplingRun:
    return SamplingRun.objects.get(pk=job.pk)


# Claiming


def test_a_claimed_job_names_its_worker_and_its_attempt(queued: SamplingRun) -> None:
    job = jobs.claim(SamplingRun, queued.pk)

    assert job is not None
    assert (job.status, job.attempt) == ("running", 1)
    assert job.claimed_by.endswith(f":{os.getpid()}")
    assert job.heartbeat_at is not None


def test_a_job_is_claimed_once(running: SamplingRun) -> None:
    assert jobs.claim(SamplingRun, running.pk) is None


@pytest.mark.django_db(transaction=True)
def test_of_sixteen_workers_at_the_same_moment_one_gets_the_job(factory: Factory) -> None:
    pks = [factory.sampling_run(status="queued").pk for _ in range(5)]
    num_workers = 16
    start = Barrier(num_workers)

    def work() -> list[int]:
        try:
            start.wait()
            return [pk for pk in pks if jobs.claim(SamplingRun, pk) is not None]
        finally:
            connection.close()

    with ThreadPoolExecutor(num_workers) as pool:
        claimed = [pk for future in [pool.submit(work) for _ in range(num_workers)] for pk in future.result()]

    assert sorted(claimed) == sorted(pks)
    assert set(SamplingRun.objects.values_list("attempt", flat=True)) == {1}


# Fencing


def test_after_a_requeue_every_write_of_the_older_attempt_is_refused(running: SamplingRun) -> None:
    silence(running)
    jobs.requeue_stale()
    successor = jobs.claim(SamplingRun, running.pk)

    for write in (
        lambda: jobs.beat(running, num_done=7),
        lambda: jobs.renew(running, log_tail="late"),
        lambda: jobs.finish(running),
        lambda: jobs.fail(running, failure_kind="late", error="late"),
    ):
        with pytest.raises(StaleAttempt):
            write()

    assert successor is not None
    now = row(running)
    assert (now.status, now.attempt, now.num_done, now.error) == ("running", 2, successor.num_done, "")


def test_what_shares_a_transaction_with_a_stale_write_is_undone(running: SamplingRun) -> None:
    silence(running)
    jobs.requeue_stale()

    @transaction.atomic
    def write() -> None:
        SamplingRun.objects.filter(pk=running.pk).update(name="written late")
        jobs.renew(running)

    with pytest.raises(StaleAttempt):
        write()

    assert row(running).name != "written late"


def test_a_beat_shows_progress_and_the_end_of_the_log(running: SamplingRun) -> None:
    jobs.beat(running, num_done=3, num_total=12, log_tail="x" * 20_000 + "end")

    now = row(running)
    assert now.progress == 0.25
    assert len(now.log_tail) == jobs.LOG_TAIL_CHARACTERS
    assert now.log_tail.endswith("end")


# The reaper


def test_a_silent_job_is_queued_again_and_its_doorbell_rung(
    running: SamplingRun, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Capture
) -> None:
    silence(running)

    with django_capture_on_commit_callbacks(execute=True):
        num_touched = jobs.requeue_stale()

    assert num_touched == 1
    assert row(running).status == "queued"
    assert doorbells == [Doorbell("generation.tasks.run_sampling", [running.pk], "gpu")]


def test_a_job_that_shows_life_is_left_alone(running: SamplingRun) -> None:
    assert jobs.requeue_stale() == 0
    assert row(running).status == "running"


def test_a_job_that_loses_every_worker_fails(running: SamplingRun, settings: Any) -> None:
    for _ in range(settings.JOB_MAX_ATTEMPTS - 1):
        silence(running)
        jobs.requeue_stale()
        assert jobs.claim(SamplingRun, running.pk) is not None
    silence(running)
    jobs.requeue_stale()

    now = row(running)
    assert (now.status, now.failure_kind, now.attempt) == ("failed", "worker-lost", settings.JOB_MAX_ATTEMPTS)
    assert "3 workers stopped without a word" in now.error


def test_a_silent_job_that_was_asked_to_stop_is_cancelled(running: SamplingRun) -> None:
    jobs.request_cancel(running)
    silence(running)
    jobs.requeue_stale()

    assert row(running).status == "cancelled"


def test_a_doorbell_that_nobody_answered_is_rung_again(
    queued: SamplingRun, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Capture
) -> None:
    long_ago = timezone.now() - timedelta(seconds=jobs.UNHEARD_SECONDS + 1)
    SamplingRun.objects.filter(pk=queued.pk).update(queued_at=long_ago)

    with django_capture_on_commit_callbacks(execute=True):
        jobs.requeue_stale()
        jobs.requeue_stale()

    assert doorbells == [Doorbell("generation.tasks.run_sampling", [queued.pk], "gpu")]


# Doorbells


def test_a_doorbell_rings_after_the_commit(
    queued: SamplingRun, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Capture
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        jobs.enqueue(queued)
        assert doorbells == []

    assert doorbells == [Doorbell("generation.tasks.run_sampling", [queued.pk], "gpu")]


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_job_rings_no_doorbell(factory: Factory, doorbells: list[Doorbell]) -> None:
    with transaction.atomic():
        jobs.enqueue(factory.sampling_run(status="queued"))
        transaction.set_rollback(True)

    assert doorbells == []


def test_every_kind_of_job_has_a_task_of_that_name() -> None:
    from celery import current_app

    current_app.loader.import_default_modules()

    assert {model.task_name for model in jobs.job_models()} <= set(current_app.tasks)
    assert TrainingRun in jobs.job_models()


# Cancelling


def test_a_queued_job_is_cancelled_at_once(queued: SamplingRun) -> None:
    jobs.request_cancel(queued)

    assert row(queued).status == "cancelled"
    assert jobs.claim(SamplingRun, queued.pk) is None


def test_a_running_job_is_asked_to_stop_and_notices_at_its_next_beat(running: SamplingRun) -> None:
    jobs.request_cancel(running)

    assert row(running).status == "running"
    with pytest.raises(JobCancelled):
        jobs.beat(running)


def test_an_ended_job_cannot_be_cancelled(running: SamplingRun) -> None:
    jobs.finish(running)

    with pytest.raises(IllegalTransition, match="already ended"):
        jobs.request_cancel(running)


# Performing


@pytest.mark.django_db(transaction=True)
class TestPerform:
    """`perform` runs the heart beat in a thread, which needs committed rows."""

    def test_a_runner_that_returns_leads_to_finished(self, queued: SamplingRun) -> None:
        jobs.perform(SamplingRun, queued.pk, lambda job: jobs.beat(job, num_done=4, num_total=4))

        now = row(queued)
        assert (now.status, now.num_done, now.progress) == ("finished", 4, 1.0)
        assert now.finished_at is not None

    def test_a_second_ring_does_nothing(self, queued: SamplingRun) -> None:
        calls: list[int] = []
        for _ in range(2):
            jobs.perform(SamplingRun, queued.pk, lambda job: calls.append(job.pk))

        assert calls == [queued.pk]

    def test_a_named_failure_is_stored_and_raised(self, queued: SamplingRun) -> None:
        def fail(job: SamplingRun) -> None:
            raise JobFailed("The disk is full.", failure_kind="disk-full", log_tail="last words")

        with pytest.raises(JobFailed):
            jobs.perform(SamplingRun, queued.pk, fail)

        now = row(queued)
        assert (now.status, now.failure_kind, now.error) == ("failed", "disk-full", "The disk is full.")
        assert now.log_tail == "last words"

    def test_an_error_of_ours_is_stored_under_its_kind(self, queued: SamplingRun) -> None:
        def fail(job: SamplingRun) -> None:
            raise IllegalTransition("Not now.")

        with pytest.raises(ConcordError):
            jobs.perform(SamplingRun, queued.pk, fail)

        assert (row(queued).failure_kind, row(queued).error) == ("illegal-transition", "Not now.")

    def test_an_unexpected_error_is_stored_with_its_traceback(self, queued: SamplingRun) -> None:
        with pytest.raises(ZeroDivisionError):
            jobs.perform(SamplingRun, queued.pk, lambda job: 1 / 0)  # type: ignore[arg-type] # it raises

        now = row(queued)
        assert (now.status, now.failure_kind) == ("failed", "unknown")
        assert now.error == "ZeroDivisionError: division by zero"
        assert "Traceback" in now.log_tail

    def test_a_cancelled_runner_leads_to_cancelled(self, queued: SamplingRun) -> None:
        def run(job: SamplingRun) -> None:
            jobs.request_cancel(job)
            jobs.beat(job)

        jobs.perform(SamplingRun, queued.pk, run)

        assert row(queued).status == "cancelled"

    def test_a_runner_that_lost_its_row_ends_quietly(self, queued: SamplingRun) -> None:
        def run(job: SamplingRun) -> None:
            silence(job)
            jobs.requeue_stale()
            jobs.beat(job)

        jobs.perform(SamplingRun, queued.pk, run)

        assert row(queued).status == "queued"

    @pytest.mark.parametrize("signal", [SystemExit, KeyboardInterrupt])
    def test_a_worker_that_is_shut_down_hands_its_job_back(
        self, queued: SamplingRun, doorbells: list[Doorbell], signal: type[BaseException]
    ) -> None:
        def run(job: SamplingRun) -> None:
            raise signal

        with pytest.raises(signal):
            jobs.perform(SamplingRun, queued.pk, run)

        now = row(queued)
        assert (now.status, now.num_lost) == ("queued", 0)
        assert doorbells == [Doorbell("generation.tasks.run_sampling", [queued.pk], "gpu")]

    def test_a_job_handed_back_often_is_not_lost(self, queued: SamplingRun, settings: Any) -> None:
        def stop(job: SamplingRun) -> None:
            raise SystemExit

        for _ in range(settings.JOB_MAX_ATTEMPTS + 1):
            with pytest.raises(SystemExit):
                jobs.perform(SamplingRun, queued.pk, stop)
        job = jobs.claim(SamplingRun, queued.pk)
        assert job is not None
        silence(job)
        jobs.requeue_stale()

        assert row(queued).status == "queued"

    def test_a_long_step_shows_life_by_itself(self, queued: SamplingRun, settings: Any) -> None:
        settings.JOB_STALE_SECONDS = 0.2
        beats: set[Any] = set()

        def run(job: SamplingRun) -> None:
            while len(beats) < 3:
                beats.add(row(job).heartbeat_at)

        jobs.perform(SamplingRun, queued.pk, run)

        assert len(beats) == 3


def test_an_ended_job_is_opened_again_and_one_that_goes_on_is_not(running: SamplingRun) -> None:
    with pytest.raises(IllegalTransition, match="has not ended"):
        jobs.reopen(running)
    jobs.fail(running, failure_kind="trouble", error="It broke.")
    jobs.reopen(running)
    assert (row(running).status, row(running).error, row(running).finished_at) == ("queued", "", None)
    claimed = jobs.claim(SamplingRun, running.pk)
    assert claimed is not None
    assert claimed.attempt == 2
