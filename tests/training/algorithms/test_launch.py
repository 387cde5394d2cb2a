"""Several processes of one machine: the steps of one, and one end for all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

import psutil
import pytest

from tests.training.algorithms.builders import ROOT, carry_out, events, failure, order, rows, saved_model
from tests.workers import wait_until
from training.algorithms.launch import outcome

SETTINGS = {"batch_size": 5, "num_epochs": 2, "learning_rate": 1e-3}
ENDLESS = {"num_epochs": 1_000_000}
SECONDS = 120.0


def launch(directory: Path, *, num: int = 2) -> subprocess.Popen[str]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "training.algorithms.launch", str(directory), str(num)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE)


def curve(directory: Path) -> list[float]:
    return [event["values"][name] for event in events(directory, "step") for name in ("loss", "grad_norm")]


def has_steps(directory: Path) -> Callable[[], bool]:
    path = directory / "events.jsonl"
    return lambda: path.exists() and '"kind": "step"' in path.read_text(encoding="utf-8")


def wait(is_true: Callable[[], bool], launcher: subprocess.Popen[str]) -> None:
    wait_until(is_true, seconds=SECONDS, why=lambda: f"exit code {launcher.poll()}")


@pytest.fixture
def trained(tmp_path: Path) -> tuple[subprocess.Popen[str], Path, list[psutil.Process]]:
    """A launcher in the middle of an endless run, its directory, and its two processes."""
    directory = order(tmp_path / "run", "sft", ENDLESS)
    launcher = launch(directory)
    wait(has_steps(directory), launcher)
    members = psutil.Process(launcher.pid).children()
    assert len(members) == 2
    return launcher, directory, members


@pytest.mark.parametrize("parts", [{}, {"lora": {}}], ids=["all weights", "adapter"])
def test_two_processes_take_the_steps_of_one_and_share_the_reference(tmp_path: Path, parts: dict[str, object]) -> None:
    start, settings = saved_model(tmp_path / "policy"), {**SETTINGS, **parts}
    alone, together = (order(tmp_path / name, "dpo", settings, init_model=start) for name in ("alone", "together"))
    assert carry_out(alone) == 0
    launcher = launch(together)
    _, said = launcher.communicate(timeout=SECONDS)
    assert launcher.returncode == 0, said
    assert curve(together) == pytest.approx(curve(alone), abs=1e-5)
    assert len(list((together / "cache").iterdir())) == 1
    assert sum(event["is_final"] for event in events(together, "checkpoint")) == 1


def test_a_request_to_stop_reaches_all_and_leaves_a_checkpoint(
    trained: tuple[subprocess.Popen[str], Path, list[psutil.Process]],
) -> None:
    launcher, directory, members = trained
    launcher.terminate()
    launcher.communicate(timeout=SECONDS)
    assert launcher.returncode == 128 + signal.SIGTERM
    assert len(events(directory, "checkpoint")) == 1
    assert not any(member.is_running() for member in members)


def test_the_death_of_one_ends_all_by_the_same_signal(
    trained: tuple[subprocess.Popen[str], Path, list[psutil.Process]],
) -> None:
    launcher, directory, members = trained
    members[1].kill()
    launcher.communicate(timeout=SECONDS)
    assert launcher.returncode == -signal.SIGKILL
    wait(lambda: not any(member.is_running() for member in members), launcher)
    assert not (directory / "failure.json").exists()


def test_processes_without_their_launcher_end_after_saving(
    trained: tuple[subprocess.Popen[str], Path, list[psutil.Process]],
) -> None:
    launcher, directory, members = trained
    launcher.kill()
    launcher.wait()
    wait(lambda: not any(m.is_running() and m.status() != psutil.STATUS_ZOMBIE for m in members), launcher)
    assert events(directory, "log")[-1]["message"].startswith("Stopped by request")
    assert len(events(directory, "checkpoint")) == 1


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ((0, 0), 0),
        ((143, 143), 143),
        ((75, 1), 1),
        ((75, -9), -9),
        ((75, 75), 75),
        ((143, 75), 75),
        ((-9, 1), 1),
    ],
    ids=str,
)
def test_the_end_of_all_is_that_of_the_one_that_knows_why(codes: tuple[int, ...], code: int) -> None:
    processes = [ended(one) for one in codes]
    assert outcome(processes, Event()) == code


def ended(code: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(["sh", "-c", f"kill {code} $$" if code < 0 else f"exit {code}"])
    process.wait()
    return process


def test_the_reason_of_the_first_to_fail_is_the_runs(tmp_path: Path) -> None:
    data = rows("sft")
    data[4]["completion"] = ""
    directory = order(tmp_path / "run", "sft", {}, data=data)
    launcher = launch(directory)
    launcher.communicate(timeout=SECONDS)
    assert launcher.returncode == 1
    assert failure(directory)["kind"] == "data_error"
