"""Which checkpoints stay, and that nothing removes one that somebody has marked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from training.algorithms.checkpoints import write_checkpoint
from training.algorithms.retention import MARK, REMOVING_SUFFIX, finish_removals, mark_kept, retain, size_of


def saved(folder: Path, step: int, **held_out: float) -> Path:
    """A checkpoint of 100 bytes of weights, with what held-out rows said about it."""

    def write(partial: Path) -> None:
        (partial / "model.safetensors").write_bytes(b"w" * 100)
        (partial / "trainer").mkdir()
        (partial / "trainer" / "state.json").write_text(json.dumps({"step": step, "held_out": held_out}))

    return write_checkpoint(folder, step=step, write=write).path


def steps(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_newest_stay_and_the_freed_bytes_are_told(tmp_path: Path) -> None:
    for step in (1, 20, 3, 1_000_000):
        saved(tmp_path, step)
    sizes = [size_of(tmp_path / name) for name in ("step-000001", "step-000003")]
    assert retain(tmp_path, num_newest=2, best_by="auto") == sizes
    assert sizes[0] > 100
    assert steps(tmp_path) == ["step-000020", "step-1000000"]


@pytest.mark.parametrize(
    ("measured", "best_by", "best"),
    [
        ({1: {"held_out_accuracy": 0.9}, 2: {"held_out_accuracy": 0.7}}, "auto", 1),
        ({1: {"held_out_loss": 0.9}, 2: {"held_out_loss": 0.7}}, "auto", 2),
        (
            {1: {"held_out_loss": 0.1, "held_out_score": -2.0}, 2: {"held_out_loss": 0.9, "held_out_score": 3.0}},
            "auto",
            2,
        ),
        ({1: {"held_out_margin": 4.0}, 2: {"held_out_margin": 1.0}}, "held_out_margin", 1),
        ({1: {"held_out_accuracy": 0.9}, 2: {"held_out_accuracy": 0.9}}, "auto", 2),
    ],
    ids=["accuracy", "loss", "score before loss", "named", "the newer of equals"],
)
def test_the_best_on_held_out_rows_stays(
    tmp_path: Path, measured: Mapping[int, Mapping[str, float]], best_by: str, best: int
) -> None:
    for step, values in measured.items():
        saved(tmp_path, step, **values)
    saved(tmp_path, 3)
    retain(tmp_path, num_newest=1, best_by=best_by)
    assert steps(tmp_path) == [f"step-{best:06d}", "step-000003"]


def test_without_a_measurement_only_age_counts(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        saved(tmp_path, step, held_out_accuracy=1.0 / step)
    retain(tmp_path, num_newest=1, best_by=None)
    assert steps(tmp_path) == ["step-000003"]


def test_a_marked_checkpoint_stays_whatever_its_age(tmp_path: Path) -> None:
    mark_kept(saved(tmp_path, 1))
    for step in (2, 3, 4):
        saved(tmp_path, step)
    retain(tmp_path, num_newest=1, best_by=None)
    assert steps(tmp_path) == ["step-000001", "step-000004"]
    assert (tmp_path / "step-000001" / "model.safetensors").read_bytes() == b"w" * 100


def test_what_is_gone_cannot_be_marked(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        mark_kept(tmp_path / "step-000001")


def test_a_removal_that_was_cut_short_is_finished_unless_it_was_marked(tmp_path: Path) -> None:
    saved(tmp_path, 1).rename(tmp_path / ("step-000001" + REMOVING_SUFFIX))
    marked = saved(tmp_path, 2).rename(tmp_path / ("step-000002" + REMOVING_SUFFIX))
    (marked / MARK).touch()
    finish_removals(tmp_path)
    assert steps(tmp_path) == ["step-000002"]


def test_a_checkpoint_whose_state_cannot_be_read_is_measured_as_nothing(tmp_path: Path) -> None:
    (saved(tmp_path, 1, held_out_accuracy=1.0) / "trainer" / "state.json").write_text('{"held')
    saved(tmp_path, 2, held_out_accuracy=0.5)
    saved(tmp_path, 3)
    retain(tmp_path, num_newest=1, best_by="auto")
    assert steps(tmp_path) == ["step-000002", "step-000003"]
