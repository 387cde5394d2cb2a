"""Preparing a run directory: the immutable specification and the data, written once and hashed."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotation.export import file_sha256
from core.jobs import JobFailed
from generation.models import LanguageModel
from training import run_data
from training.models import TrainingRun

SPEC_VERSION = 1


def prepare(run: TrainingRun) -> str:
    """Write data.parquet and spec.json unless they are there; returns the SHA-256 of spec.json.

    Raises `JobFailed` if the frozen dataset is no longer what was frozen.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    spec_path = run.folder / "spec.json"
    if not spec_path.exists():
        data_path = run.folder / "data.parquet"
        _write_data(run, data_path)
        _write_sealed(spec_path, json.dumps(_spec(run, file_sha256(data_path)), indent=2, sort_keys=True))
    sha256 = hashlib.sha256(spec_path.read_bytes()).hexdigest()
    if run.spec_sha256 not in ("", sha256):
        raise JobFailed(
            f"spec.json of run {run.pk} has changed since it was written (SHA-256 {sha256}, recorded "
            f"{run.spec_sha256}). Start a new run.",
            failure_kind="configuration",
        )
    return sha256


def _spec(run: TrainingRun, data_sha256: str) -> dict[str, Any]:
    return {
        "version": SPEC_VERSION,
        "algorithm": run.algorithm,
        "seed": run.seed,
        "config": run.config,
        "init_model": _location(run.init_model),
        "reward_model": _location(run.reward_model),
        "held_out_reward_model": _location(run.held_out_reward_model),
        "data_sha256": data_sha256,
        "num_threads": num_threads(),
    }


def num_threads() -> int:
    """The CPU threads that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _location(model: LanguageModel | None) -> str | None:
    return model.location if model is not None else None


def _write_data(run: TrainingRun, path: Path) -> None:
    table = _dataset_table(run) if run.prompt_set is None else run_data.prompts_of(run.prompt_set)
    with _renamed_when_whole(path) as scratch:
        pq.write_table(table, scratch, compression="zstd")


def _dataset_table(run: TrainingRun) -> pa.Table:
    dataset = run.dataset
    assert dataset is not None  # noqa: S101 -- the caller looked; a check constraint guards it
    if not dataset.parquet_path.exists():
        raise JobFailed(f"The file of {dataset} is missing: {dataset.parquet_path}.", failure_kind="data_error")
    actual = file_sha256(dataset.parquet_path)
    if actual != dataset.sha256:
        raise JobFailed(
            f"The file of {dataset} has SHA-256 {actual}, frozen was {dataset.sha256}. Freeze it again.",
            failure_kind="data_error",
        )
    return run_data.table_for(run.algorithm, dataset.kind, dataset.parquet_path)


def _write_sealed(path: Path, text: str) -> None:
    with _renamed_when_whole(path) as scratch, scratch.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _renamed_when_whole(path: Path) -> Iterator[Path]:
    """A scratch file that becomes `path` in the end; whatever goes wrong leaves neither."""
    scratch = path.with_suffix(".tmp")
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
