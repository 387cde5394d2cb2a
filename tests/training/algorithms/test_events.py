"""What events look like on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.algorithms.builders import events
from training.algorithms import events as events_module
from training.algorithms.events import EventWriter


def test_an_event_is_a_line_that_can_be_read_at_once(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "events.jsonl") as writer:
        writer.step(step=1, num_steps=9, values={"loss": 0.5})
        (event,) = events(tmp_path, "step")
        assert (event["step"], event["num_steps"], event["values"]) == (1, 9, {"loss": 0.5})
        writer.log("Grüße")
        assert events(tmp_path, "log")[0]["message"] == "Grüße"


def test_a_torn_line_of_a_killed_process_does_not_swallow_the_next_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text('{"kind": "step", "st')
    with EventWriter(path) as writer:
        writer.log("here")
    assert json.loads(path.read_text().splitlines()[1])["message"] == "here"


def test_measurements_that_are_not_numbers_are_left_out(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "events.jsonl") as writer:
        writer.evaluation(step=1, num_steps=1, values={"a": float("nan"), "b": float("inf"), "c": 1.0})
    assert events(tmp_path, "evaluation")[0]["values"] == {"c": 1.0}


@pytest.mark.parametrize(("seconds", "told"), [(0.0, [1, 2]), (3600.0, [])], ids=["due", "too early"])
def test_progress_is_told_every_so_often_and_not_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, told: list[int]
) -> None:
    monkeypatch.setattr(events_module, "PROGRESS_SECONDS", seconds)
    with EventWriter(tmp_path / "events.jsonl") as writer:
        for num_done in (1, 2):
            writer.progress("tokens", num_done=num_done, num_total=9)
    assert [event["num_done"] for event in events(tmp_path, "progress")] == told


def test_a_measurement_belongs_to_its_step(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "events.jsonl") as writer:
        writer.evaluation(step=4, num_steps=9, values={"held_out_loss": 0.5, "held_out_margin": float("nan")})
        assert writer.measured_at(4) == {"held_out_loss": 0.5}
        assert writer.measured_at(5) == {}
