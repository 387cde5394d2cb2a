"""Checkpoints are whole or not there."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from training.algorithms.checkpoints import MANIFEST, newest_valid, write_checkpoint
from training.algorithms.failures import TrainingFailure
from training.algorithms.spec import file_sha256


def write_two_files(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "trainer").mkdir()
    (folder / "trainer" / "state.json").write_text("{}")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_checkpoint_is_named_for_its_step_and_lists_the_sums_of_its_files(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path, step=300, write=write_two_files)
    assert checkpoint.path == tmp_path / "step-000300"
    sums = json.loads((checkpoint.path / MANIFEST).read_text())
    assert sums == {name: file_sha256(checkpoint.path / name) for name in ("model.safetensors", "trainer/state.json")}
    assert checkpoint.manifest_sha256 == file_sha256(checkpoint.path / MANIFEST)
    assert newest_valid(tmp_path, report=pytest.fail) == checkpoint


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        write_two_files(folder)
        raise ValueError("in the middle")

    write_checkpoint(tmp_path, step=1, write=write_two_files)
    with pytest.raises(ValueError, match="in the middle"):
        write_checkpoint(tmp_path, step=2, write=write)
    assert names(tmp_path) == ["step-000001"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("I/O error: No space left on device (os error 28)"),  # as safetensors says it
    ],
)
def test_a_full_disk_is_a_named_failure_and_leaves_earlier_checkpoints(tmp_path: Path, error: Exception) -> None:
    def write(folder: Path) -> None:
        write_two_files(folder)
        raise error

    write_checkpoint(tmp_path, step=1, write=write_two_files)
    with pytest.raises(TrainingFailure, match="step-000002") as caught:
        write_checkpoint(tmp_path, step=2, write=write)
    assert caught.value.kind == "disk_full"
    assert names(tmp_path) == ["step-000001"]


def test_a_really_full_device_is_recognised(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        write_two_files(folder)
        with Path("/dev/full").open("wb", buffering=0) as file:
            file.write(b"x")

    with pytest.raises(TrainingFailure) as caught:
        write_checkpoint(tmp_path, step=2, write=write)
    assert caught.value.kind == "disk_full"
    assert names(tmp_path) == []


@pytest.mark.parametrize("damage", ["changed", "missing", "no manifest", "torn manifest"])
def test_a_damaged_checkpoint_is_skipped_with_a_word(tmp_path: Path, damage: str) -> None:
    good = write_checkpoint(tmp_path, step=1, write=write_two_files)
    bad = write_checkpoint(tmp_path, step=2, write=write_two_files).path
    if damage == "changed":
        (bad / "model.safetensors").write_bytes(b"weightz")
    elif damage == "missing":
        (bad / "trainer" / "state.json").unlink()
    elif damage == "no manifest":
        (bad / MANIFEST).unlink()
    else:
        (bad / MANIFEST).write_text('{"model.safe')
    said: list[str] = []
    assert newest_valid(tmp_path, report=said.append) == good
    assert len(said) == 1
    assert "step-000002" in said[0]


def test_half_written_folders_are_swept_away(tmp_path: Path) -> None:
    (tmp_path / "step-000005.partial").mkdir(parents=True)
    (tmp_path / "step-000005.partial" / "model.safetensors").write_bytes(b"half")
    assert newest_valid(tmp_path, report=pytest.fail) is None
    assert names(tmp_path) == []


def test_a_damaged_checkpoint_of_the_same_step_is_replaced(tmp_path: Path) -> None:
    bad = write_checkpoint(tmp_path, step=2, write=write_two_files).path
    (bad / "model.safetensors").write_bytes(b"weightz")
    good = write_checkpoint(tmp_path, step=2, write=write_two_files)
    assert newest_valid(tmp_path, report=pytest.fail) == good
