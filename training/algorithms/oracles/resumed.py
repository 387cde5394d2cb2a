"""The oracle of interrupted runs: a run that is killed, in a save and in a step, ends with the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from training.algorithms.checkpoints import PARTIAL_SUFFIX
from training.algorithms.oracles.check import Check
from training.algorithms.oracles.trained import REPLIES, carried_out, row, saved_model, write_order

ROOT: Final = Path(__file__).resolve().parents[3]
SETTINGS: Final = {"batch_size": 2, "num_epochs": 20, "checkpoint_every": 2, "learning_rate": 1e-3, "eval_every": 10}
POLL_SECONDS: Final = 0.0005


def resumed_runs() -> Iterator[Check]:
    """A DPO run killed with SIGKILL twice, and one that nobody disturbed: the bytes of their weights that differ."""
    rows = [
        {**row("held_out" if number % 4 == 3 else "train"), "chosen": f"{one} {number}", "rejected": other}
        for number, (one, other) in enumerate(zip(REPLIES * 3, (*REPLIES[1:], REPLIES[0]) * 3, strict=True))
    ]
    with tempfile.TemporaryDirectory() as folder:
        start = saved_model(Path(folder, "policy"))
        whole, killed = (Path(folder, name) for name in ("whole", "killed"))
        for directory in (whole, killed):
            write_order(directory, "dpo", rows, SETTINGS, start)
        wanted = weights(carried_out(whole))
        kill_when(killed, lambda: is_saving(killed))
        kill_when(killed, lambda: has_resumed(killed))
        seen = weights(carried_out(killed))
    yield Check(
        name="a run killed twice, differing bytes of its weights",
        expected=0.0,
        seen=float(num_differing(wanted, seen)),
        tolerance=0.0,
    )


def kill_when(directory: Path, condition: Callable[[], bool]) -> None:
    """Carry the order out in a process of its own, and kill it at this moment."""
    environment: dict[str, Any] = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "training.algorithms.run", str(directory)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not condition():
            time.sleep(POLL_SECONDS)
        process.kill()


def is_saving(directory: Path) -> bool:
    """Whether a checkpoint is being written, and is not the first one."""
    folder = directory / "checkpoints"
    names = os.listdir(folder) if folder.exists() else []
    return len(names) > 1 and any(name.endswith(PARTIAL_SUFFIX) for name in names)


def has_resumed(directory: Path) -> bool:
    """Whether a process went on from a checkpoint, and has made a step since."""
    _, found, since = (directory / "events.jsonl").read_text(encoding="utf-8").partition("Resumed from")
    return bool(found) and '"step"' in since


def weights(folder: str) -> bytes:
    """The file of a model's weights."""
    return Path(folder, "model.safetensors").read_bytes()


def num_differing(one: bytes, other: bytes) -> int:
    """Bytes that differ, those that only one of them has included."""
    return sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))
