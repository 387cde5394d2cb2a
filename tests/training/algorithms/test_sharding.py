"""Weights that are shared out among processes train like whole ones, and leave the same folders."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training.algorithms.builders import ROOT, carry_out, events, order, saved_model
from training.algorithms.execution import execute
from training.algorithms.session import Stopped

SETTINGS = {"batch_size": 5, "num_epochs": 4, "learning_rate": 1e-3, "micro_batch_tokens": 60, "checkpoint_every": 5}
SHARDED = {"num_devices": 2, "sharding": "fsdp2"}


def curve(directory: Path) -> list[float]:
    """Loss and gradient norm of every step; of one that was repeated, the later."""
    values = {event["step"]: event["values"] for event in events(directory, "step")}
    return [values[step][name] for step in sorted(values) for name in ("loss", "grad_norm")]


def by_two(directory: Path) -> None:
    """Carry out the order by two processes that torchrun starts."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [*launcher, "-m", "training.algorithms.run", str(directory)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def checkpoint(directory: Path, step: int) -> Path:
    return directory / "checkpoints" / f"step-{step:06d}"


@pytest.mark.parametrize(
    ("algorithm", "dtype", "tolerance"), [("dpo", "float32", 1e-5), ("reward", "bfloat16", 5e-2)], ids=["dpo", "reward"]
)
def test_a_run_goes_from_one_process_to_two_that_share_its_weights_and_back(
    tmp_path: Path, algorithm: str, dtype: str, tolerance: float
) -> None:
    settings = {**SETTINGS, "dtype": dtype}
    start = saved_model(tmp_path / "policy")
    whole = order(tmp_path / "whole", algorithm, settings, init_model=start)
    shared = order(tmp_path / "shared", algorithm, {**settings, **SHARDED}, init_model=start)
    assert carry_out(whole) == 0
    stops = iter([False, False, False, True])
    with pytest.raises(Stopped):
        execute(shared, is_stop_requested=lambda: next(stops))
    by_two(shared)
    assert len(curve(whole)) == 2 * 12
    assert curve(shared) == pytest.approx(curve(whole), rel=tolerance, abs=tolerance)
    assert same_files(checkpoint(shared, 10), checkpoint(whole, 10))
    shutil.rmtree(checkpoint(shared, 12))
    assert carry_out(shared) == 0  # from what two processes left, with the optimiser's state
    assert any(event["message"] == "Resumed from step-000010." for event in events(shared, "log"))
    assert curve(shared) == pytest.approx(curve(whole), rel=tolerance, abs=tolerance)


def same_files(found: Path, expected: Path) -> bool:
    """Whether two checkpoints have the same files with the same tensors in them, and nearly the same numbers."""
    names = [sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) for folder in (found, expected)]
    assert names[0] == names[1]
    assert (found / "config.json").read_text() == (expected / "config.json").read_text()
    for name in (name for name in names[0] if name.endswith(".safetensors")):
        ours, theirs = load_file(found / name), load_file(expected / name)
        assert {key: (one.shape, one.dtype) for key, one in ours.items()} == {
            key: (one.shape, one.dtype) for key, one in theirs.items()
        }
        for key, one in ours.items():
            torch.testing.assert_close(one, theirs[key], atol=2e-3, rtol=2e-2)
    return True
