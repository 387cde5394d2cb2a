from __future__ import annotations

from typing import Any

import pytest

from core import jobs
from core.jobs import JobCancelled, StaleAttempt
from tests.factory import Factory
from training import recording
from training.models import Checkpoint, Metric, SampleText, TrainingRun


@pytest.fixture
def run(factory: Factory) -> TrainingRun:
    """A claimed run without any row yet."""
    made = factory.training_run(status="queued")
    held = jobs.claim(TrainingRun, made.pk)
    assert held is not None
    return held


def step(number: int, loss: float = 0.5, *, kind: str = "step") -> dict[str, Any]:
    return {"kind": kind, "step": number, "num_steps": 9, "at": 1_790_000_000.0 + number, "values": {"loss": loss}}


def checkpoint(number: int, *, is_final: bool = False) -> dict[str, Any]:
    path = f"checkpoints/step-{number:06d}"
    return {"kind": "checkpoint", "step": number, "at": 1.0, "path": path, "manifest_sha256": "a", "is_final": is_final}


def sample(number: int, text: str) -> dict[str, Any]:
    return {"kind": "sample", "step": number, "at": 1.0, "prompt": "What?", "text": text}


def losses(run: TrainingRun) -> dict[int, float]:
    return {row.step: row.values["loss"] for row in Metric.objects.filter(run=run, kind="step")}


def test_events_become_rows_and_progress(run: TrainingRun) -> None:
    events = [
        step(1, 0.9),
        step(2, 0.8),
        step(2, kind="evaluation"),
        checkpoint(2),
        sample(2, "That."),
        {"kind": "log"},
    ]
    (run.folder / "checkpoints/step-000002").mkdir(parents=True)
    recording.record(run, events, log_tail="two steps\n")
    assert losses(run) == {1: 0.9, 2: 0.8}
    assert Metric.objects.filter(run=run, kind="evaluation").count() == 1
    assert Checkpoint.objects.get(run=run).folder == run.folder / "checkpoints/step-000002"
    assert SampleText.objects.get(run=run).text == "That."
    run.refresh_from_db()
    assert (run.num_done, run.num_total, run.log_tail) == (2, 9, "two steps\n")


def test_steps_repeated_after_a_resume_replace_the_earlier_numbers(run: TrainingRun) -> None:
    recording.record(run, [step(1, 0.9), step(2, 0.8), checkpoint(2), sample(2, "old")], log_tail="")
    recording.record(run, [step(2, 0.7), step(2, 0.6), checkpoint(2, is_final=True), sample(2, "new")], log_tail="")
    assert losses(run) == {1: 0.9, 2: 0.6}
    assert Checkpoint.objects.get(run=run).is_final
    assert SampleText.objects.get(run=run).text == "new"


def test_a_checkpoint_that_was_pruned_from_disk_is_forgotten(run: TrainingRun) -> None:
    for number in (1, 2):
        (run.folder / f"checkpoints/step-{number:06d}").mkdir(parents=True)
        recording.record(run, [checkpoint(number)], log_tail="")
    (run.folder / "checkpoints/step-000001").rmdir()
    recording.record(run, [checkpoint(3, is_final=True)], log_tail="")
    assert list(run.checkpoints.values_list("step", flat=True)) == [2, 3]


def test_a_checkpoint_further_than_any_forgives_lost_workers(run: TrainingRun) -> None:
    (run.folder / "checkpoints/step-000004").mkdir(parents=True)
    recording.record(run, [checkpoint(4)], log_tail="")
    TrainingRun.objects.filter(pk=run.pk).update(num_lost=2)
    recording.record(run, [checkpoint(2), checkpoint(4)], log_tail="")  # as the next attempt reads them again
    run.refresh_from_db()
    assert run.num_lost == 2
    recording.record(run, [checkpoint(6)], log_tail="")
    run.refresh_from_db()
    assert run.num_lost == 0


def test_an_older_attempt_leaves_nothing(run: TrainingRun) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(attempt=2)
    with pytest.raises(StaleAttempt):
        recording.record(run, [step(1), checkpoint(1), sample(1, "x")], log_tail="late")
    assert not Metric.objects.exists()
    assert not Checkpoint.objects.exists()
    assert TrainingRun.objects.get().log_tail == ""


def test_a_cancelled_run_keeps_its_last_events(run: TrainingRun) -> None:
    jobs.request_cancel(run)
    with pytest.raises(JobCancelled):
        recording.record(run, [step(1)], log_tail="")
    assert losses(run) == {1: 0.5}


def test_what_postgresql_cannot_hold_is_taken_out_of_samples(run: TrainingRun) -> None:
    recording.record(run, [sample(1, "a\x00b\ud800")], log_tail="")
    assert SampleText.objects.get().text == "ab?"


def test_no_events_still_show_life(run: TrainingRun) -> None:
    before = run.heartbeat_at
    recording.record(run, [], log_tail="")
    run.refresh_from_db()
    assert run.heartbeat_at != before
    assert (run.num_done, run.num_total) == (0, 0)
