"""SIGKILL at random moments: while a process starts, in the middle of a step, and in the middle of a save."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
MOMENTS: Final = ("start", "step", "step", "save", "save", "save")  # one of these at random, for every kill
START_SECONDS: Final = 5.0  # a kill while it starts comes within these
EVENTS_BEFORE: Final = 14  # a kill in a step or a save comes at most so many events after the process has started
SAVE_SECONDS: Final = 0.03  # a kill in a save comes within these after its folder has appeared
POLL_SECONDS: Final = 0.0005


@dataclass(kw_only=True)
class Tally:
    """What has been done to a run."""

    kills: Counter[str] = field(default_factory=Counter)  # by intended moment
    num_hit_saves: int = 0  # kills that left a half-written checkpoint behind
    num_torn_lines: int = 0  # kills that left half an event

    @property
    def num_kills(self) -> int:
        """All of them."""
        return self.kills.total()


def start(directory: Path) -> subprocess.Popen[bytes]:
    """The training process of a run directory, in a process group of its own."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "training.algorithms.run", str(directory)]
    with (directory / "process.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)


def run_to_end(directory: Path) -> None:
    """Let a run finish. Raises `RuntimeError` with what it said if it fails."""
    if code := start(directory).wait():
        said = (directory / "process.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{directory.name} ended with {code}:\n{said}")


def kill_often(directory: Path, *, num_kills: int, rng: random.Random, tally: Tally) -> None:
    """Start the run and kill it, again and again; ends early if it finishes in between."""
    while tally.num_kills < num_kills:
        process = start(directory)
        moment = rng.choice(MOMENTS)
        wait_for(moment, directory, rng, has_ended=lambda process=process: process.poll() is not None)  # type: ignore[misc]
        if process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        note(tally, moment, directory)


def wait_for(moment: str, directory: Path, rng: random.Random, *, has_ended: Callable[[], bool]) -> None:
    """Return at a random instant of the kind that `moment` names, or when the process has ended."""
    if moment == "start":
        time.sleep(rng.uniform(0.0, START_SECONDS))
        return
    lines = num_lines(directory) + rng.randint(1, EVENTS_BEFORE)
    until(lambda: num_lines(directory) >= lines, has_ended)
    if moment == "save":
        until(lambda: is_saving(directory), has_ended)
        time.sleep(rng.uniform(0.0, SAVE_SECONDS))
    else:
        time.sleep(rng.uniform(0.0, SAVE_SECONDS))


def until(condition: Callable[[], bool], has_ended: Callable[[], bool]) -> None:
    """Wait for `condition`, or until the process has ended."""
    while not condition() and not has_ended():
        time.sleep(POLL_SECONDS)


def num_lines(directory: Path) -> int:
    """Events so far."""
    path = directory / "events.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def is_saving(directory: Path) -> bool:
    """Whether a checkpoint is being written, or was when somebody killed the process."""
    folder = directory / "checkpoints"
    return folder.exists() and any(name.endswith(".partial") for name in os.listdir(folder))


def note(tally: Tally, moment: str, directory: Path) -> None:
    """Count a kill and what it left."""
    tally.kills[moment] += 1
    tally.num_hit_saves += moment != "start" and is_saving(directory)  # else it is an earlier kill's
    path = directory / "events.jsonl"
    last = path.read_bytes().rpartition(b"\n")[2] if path.exists() else b""
    tally.num_torn_lines += bool(last)


def saved_steps(directory: Path) -> list[int]:
    """The steps that processes resumed from, in order."""
    lines = (directory / "events.jsonl").read_text(encoding="utf-8").splitlines()
    messages = [json.loads(line).get("message", "") for line in lines if line.startswith("{") and line.endswith("}")]
    return [int(text.removeprefix("Resumed from step-").rstrip(".")) for text in messages if "Resumed from" in text]
