"""Pausing and resuming: one conditional update each, and nothing that was not possible before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core import jobs, pauses
from core.errors import IllegalTransition
from core.jobs import JobCancelled, JobPaused, StaleAttempt
from tests.conftest import Doorbell
from tests.factory import Factory
from training.models import TrainingRun

Capture = Callable[..., Any]


@pytest.fixture
def queued(factory: Factory) -> TrainingRun:
    return factory.training_run(status="queued")


@pytest.fixture
def running(queued: TrainingRun) -> TrainingRun:
    job = jobs.claim(TrainingRun, queued.pk)
    assert job is not None
    return job


def row(job: TrainingRun) -> TrainingRun:
    return TrainingRun.objects.get(pk=job.pk)


def test_a_queued_job_pauses_at_once_and_nobody_claims_it(queued: TrainingRun) -> None:
    pauses.request_pause(queued)
    assert row(queued).status == "paused"
    assert jobs.claim(TrainingRun, queued.pk) is None
    assert not row(queued).has_ended


def test_a_running_job_hears_of_it_at_its_next_beat(running: TrainingRun) -> None:
    jobs.beat(running)
    pauses.request_pause(running)
    assert row(running).status == "running"
    with pytest.raises(JobPaused):
        jobs.beat(running)


def test_the_wish_to_stop_for_good_goes_before_the_wish_to_pause(running: TrainingRun) -> None:
    pauses.request_pause(running)
    jobs.request_cancel(running)
    with pytest.raises(JobCancelled):
        jobs.beat(running)


def test_a_job_whose_runner_has_saved_is_paused_and_not_ended(queued: TrainingRun) -> None:
    def runner(job: TrainingRun) -> None:
        pauses.request_pause(job)
        jobs.beat(job)

    jobs.perform(TrainingRun, queued.pk, runner)
    now = row(queued)
    assert (now.status, now.is_pause_requested, now.finished_at, now.failure_kind) == ("paused", False, None, "")


@pytest.mark.parametrize("status", ["paused", "failed", "cancelled"])
def test_what_stopped_is_queued_again_and_its_doorbell_rung(
    factory: Factory, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Capture, status: str
) -> None:
    job = factory.training_run(status=status)
    with django_capture_on_commit_callbacks(execute=True):
        pauses.resume(job)
    now = row(job)
    assert (now.status, now.failure_kind, now.error, now.finished_at) == ("queued", "", "", None)
    assert doorbells == [Doorbell("training.tasks.run_training", [job.pk], "gpu")]
    assert jobs.claim(TrainingRun, job.pk) is not None


@pytest.mark.parametrize("status", ["queued", "running", "finished"])
def test_only_what_stopped_is_resumed(factory: Factory, status: str) -> None:
    job = factory.training_run(status=status)
    with pytest.raises(IllegalTransition, match=status):
        pauses.resume(job)
    assert row(job).status == status


@pytest.mark.parametrize("status", ["paused", "finished", "failed", "cancelled"])
def test_only_what_goes_on_is_paused(factory: Factory, status: str) -> None:
    job = factory.training_run(status=status)
    with pytest.raises(IllegalTransition, match=status):
        pauses.request_pause(job)


def test_a_job_that_shall_stop_for_good_cannot_be_paused(running: TrainingRun) -> None:
    jobs.request_cancel(running)
    with pytest.raises(IllegalTransition, match="about to stop"):
        pauses.request_pause(running)


def test_a_paused_job_is_cancelled_at_once(factory: Factory) -> None:
    job = factory.training_run(status="paused")
    jobs.request_cancel(job)
    assert row(job).status == "cancelled"


def test_a_job_that_lost_its_worker_while_it_was_to_pause_is_paused(running: TrainingRun) -> None:
    pauses.request_pause(running)
    TrainingRun.objects.filter(pk=running.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
    jobs.requeue_stale()
    assert (row(running).status, row(running).is_pause_requested) == ("paused", False)


def test_an_older_attempt_cannot_pause_what_another_worker_has(queued: TrainingRun) -> None:
    def runner(job: TrainingRun) -> None:
        TrainingRun.objects.filter(pk=job.pk).update(attempt=job.attempt + 1)
        raise JobPaused

    with pytest.raises(StaleAttempt):
        jobs.perform(TrainingRun, queued.pk, runner)
    assert row(queued).status == "running"
