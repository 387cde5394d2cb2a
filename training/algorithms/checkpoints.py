"""Checkpoints that are either whole or not there: temporary folder, fsync, manifest of SHA-256 sums, rename."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.algorithms.failures import TrainingFailure, is_disk_full
from training.algorithms.spec import file_sha256

MANIFEST: Final = "manifest.json"
NAME: Final = re.compile(r"step-(\d{6,})")
PARTIAL_SUFFIX: Final = ".partial"


class CheckpointCorrupted(Exception):
    """A checkpoint's files are not those that its manifest lists."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A sealed checkpoint on disk."""

    path: Path
    step: int
    manifest_sha256: str


def write_checkpoint(folder: Path, *, step: int, write: Callable[[Path], None]) -> Checkpoint:
    """Let `write` fill a temporary folder, seal it, and rename it to folder/step-000300.

    Whatever goes wrong leaves no trace; a full disk raises `TrainingFailure` of kind disk_full.
    """
    final = folder / f"step-{step:06d}"
    partial = final.with_name(final.name + PARTIAL_SUFFIX)
    remove(partial)
    try:
        partial.mkdir(parents=True)
        write(partial)
        seal(partial)
        remove(final)  # a corrupted one of the same step
        partial.rename(final)
        fsync(folder)
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        if is_disk_full(error):
            advice = "Free some space and resume the run; earlier checkpoints are whole."
            raise TrainingFailure(
                "disk_full", f"The disk filled up while {final.name} was written. {advice}"
            ) from error
        raise
    return Checkpoint(path=final, step=step, manifest_sha256=file_sha256(final / MANIFEST))


def newest_valid(folder: Path, *, report: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint whose sums agree; each that is skipped is reported. Half-written ones are removed."""
    for partial in folder.glob("*" + PARTIAL_SUFFIX):
        remove(partial)
    for step, path in sorted(numbered(folder), reverse=True):
        try:
            verify(path)
        except CheckpointCorrupted as error:
            report(f"Skipped the checkpoint {path.name}: {error}")
        else:
            return Checkpoint(path=path, step=step, manifest_sha256=file_sha256(path / MANIFEST))
    return None


def newest_step(folder: Path) -> int:
    """The steps of the newest checkpoint, whether or not its sums agree; 0 if there is none."""
    return max((step for step, _ in numbered(folder)), default=0)


def numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    """The checkpoints of `folder` with their steps, in no order."""
    for path in folder.glob("step-*"):
        if match := NAME.fullmatch(path.name):
            yield int(match[1]), path


def seal(folder: Path) -> None:
    """Write the manifest, and see everything safely to disk."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(sums, indent=1), encoding="utf-8")
    for path in [*files, manifest, *(path for path in folder.rglob("*") if path.is_dir()), folder]:
        fsync(path)


def verify(folder: Path) -> None:
    """Raise `CheckpointCorrupted` unless every listed file is there with its sum."""
    try:
        sums = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointCorrupted(f"its manifest cannot be read ({error}).") from error
    for name, sha256 in sums.items():
        path = folder / name
        if not path.is_file():
            raise CheckpointCorrupted(f"{name} is missing.")
        if file_sha256(path) != sha256:
            raise CheckpointCorrupted(f"{name} does not have the sum that its manifest says.")


def fsync(path: Path) -> None:
    """Flush a file or a directory entry to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(folder: Path) -> None:
    """Delete a folder; the manifest goes first, so that a half-deleted one is never valid."""
    (folder / MANIFEST).unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)
