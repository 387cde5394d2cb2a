"""Training that takes a moment: demonstrations and a configuration of the smallest Llama."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from annotation.models import Dataset
from tests.factory import Factory
from tests.workers import wait_until
from training.algorithms.config import config_fields, parse_config
from training.models import TrainingRun

FRESH = {
    "vocab_size": 300,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_layers": 1,
    "num_heads": 1,
    "context_tokens": 64,
}
SFT = {"fresh": FRESH, "batch_size": 8, "max_prompt_tokens": 32, "max_completion_tokens": 8, "num_samples": 1}
ENDLESS = {**SFT, "num_epochs": 1_000_000}
SECONDS = 120.0  # a training process is given so long to get somewhere on a busy machine


def demonstrations(factory: Factory, num_rows: int = 40) -> Dataset:
    """A finished dataset of little sums, every fourth one held out."""
    rows = [
        {
            "prompt": json.dumps([{"role": "user", "content": f"{n} plus 1?"}]),
            "completion": str(n + 1),
            "split": "held_out" if n % 4 == 3 else "train",
        }
        for n in range(num_rows)
    ]
    return factory.dataset(kind=Dataset.Kind.DEMONSTRATIONS, rows=rows)


def sft_run(factory: Factory, **config: Any) -> TrainingRun:
    """A queued run; `config` replaces fields of the tiny one."""
    complete = config_fields(parse_config("sft", {**SFT, **config}))
    return factory.training_run(algorithm="sft", status="queued", dataset=demonstrations(factory), config=complete)


def trainers(folder: Path) -> Iterator[psutil.Process]:
    """The living training processes of this run directory."""
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        is_trainer = str(folder) in command and "training.algorithms.run" in command
        if is_trainer and process.info["status"] != psutil.STATUS_ZOMBIE:
            yield process


def wait_for_trainer(run: TrainingRun, *, besides: int = 0) -> psutil.Process:
    """The training process of the run, once there is one with another id than `besides`."""

    def others() -> list[psutil.Process]:
        return [process for process in trainers(run.folder) if process.pid != besides]

    wait_until(lambda: bool(others()), seconds=SECONDS, why=lambda: log_of(run))
    return others()[0]


def wait_for(condition: Callable[[], bool], run: TrainingRun) -> None:
    """Wait until `condition` holds; what the run's process said goes into the error."""
    wait_until(condition, seconds=SECONDS, why=lambda: log_of(run))


def log_of(run: TrainingRun) -> str:
    """The run's row and the end of its process's output."""
    run.refresh_from_db()
    path = run.folder / "process.log"
    words = path.read_text(errors="replace")[-4000:] if path.exists() else "(no process yet)"
    state = f"{run.status}, attempt {run.attempt} by {run.claimed_by}, step {run.num_done}, heard {run.heartbeat_at}"
    ids = [process.pid for process in trainers(run.folder)]
    return f"run {run.pk} is {state}, trainers {ids} ({run.failure_kind} {run.error}):\n{run.log_tail}\n{words}"
