"""Training by real Celery workers that die and are replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core import jobs
from tests.factory import Factory
from tests.training import tiny
from tests.workers import ChildProcess, wait_until
from training.models import TrainingRun

pytestmark = [
    pytest.mark.workers,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("broker", ["postgresql"], indirect=True),
]

Start = Callable[..., ChildProcess]
NUM_STEPS = 600


def rung(run: TrainingRun) -> TrainingRun:
    jobs.enqueue(run)
    return run


def has_no_trainer(folder: Path) -> bool:
    return not list(tiny.trainers(folder))


def test_a_run_whose_worker_was_killed_is_resumed_by_another_one(
    factory: Factory, start_worker: Start, start_beat: Start
) -> None:
    run = rung(tiny.sft_run(factory, **{**tiny.ENDLESS, "max_steps": NUM_STEPS, "checkpoint_every": 50}))
    first = start_worker(queues="gpu")
    tiny.wait_for(lambda: run.checkpoints.exists(), run)
    first.kill()
    second, beat = start_worker(), start_beat()
    wait_until(
        lambda: not TrainingRun.objects.filter(pk=run.pk, status__in=("queued", "running")).exists(),
        seconds=2 * tiny.SECONDS,
        why=lambda: f"{tiny.log_of(run)}\n{second.log}\n{beat.log}",
    )
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("finished", 2), second.log + beat.log
    assert "Resumed from step-" in (run.folder / "events.jsonl").read_text()
    steps = run.metrics.filter(kind="step").order_by("step").values_list("step", flat=True)
    assert list(steps) == list(range(1, NUM_STEPS + 1))
    assert run.checkpoints.get(is_final=True).step == NUM_STEPS
    assert has_no_trainer(run.folder)


def test_a_worker_killed_before_its_trainer_is_awake_leaves_no_orphan(factory: Factory, start_worker: Start) -> None:
    run = rung(tiny.sft_run(factory, **tiny.ENDLESS))
    worker = start_worker(queues="gpu")
    tiny.wait_for_trainer(run)
    worker.kill()
    wait_until(lambda: has_no_trainer(run.folder), seconds=60, why=lambda: tiny.log_of(run))
