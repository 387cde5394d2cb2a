"""Making a whole model of a checkpoint that holds an adapter alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.algorithms.builders import saved_model
from tests.training.algorithms.test_adapters import final, logps, made
from training.algorithms.execution import execute
from training.algorithms.merge import main
from training.algorithms.models import load_language_model, load_reward_model
from training.algorithms.session import Stopped


def stopped(folder: Path, algorithm: str) -> Path:
    """The checkpoint of a run that was asked to stop."""
    directory = made(folder, algorithm, dtype="bfloat16")
    stops = iter([False, False, True])
    with pytest.raises(Stopped):
        execute(directory, is_stop_requested=lambda: next(stops))
    return final(directory)


def test_the_checkpoint_of_a_stopped_run_becomes_a_whole_model_of_the_same_words(tmp_path: Path) -> None:
    checkpoint = stopped(tmp_path / "run", "dpo")
    before = logps(load_language_model(checkpoint, dtype="bfloat16"))
    assert main([str(checkpoint)]) == 0
    (tmp_path / "base" / "model.safetensors").unlink()
    assert torch.equal(logps(load_language_model(checkpoint, dtype="bfloat16")), before)
    assert not list(checkpoint.glob("*.partial"))


def test_a_reward_models_checkpoint_keeps_its_head(tmp_path: Path) -> None:
    checkpoint = stopped(tmp_path / "run", "reward")
    before = load_reward_model(checkpoint).head.weight
    assert before.abs().max() > 0
    assert main([str(checkpoint)]) == 0
    (tmp_path / "base" / "model.safetensors").unlink()
    assert torch.equal(load_reward_model(checkpoint).head.weight, before)


def test_what_cannot_be_merged_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = stopped(tmp_path / "run", "dpo")
    weights = checkpoint / "adapter" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes() + b" ")
    for folders, message in (
        ([str(checkpoint)], "adapter/adapter_model.safetensors does not have the sum"),
        ([saved_model(tmp_path / "whole")], "it is no checkpoint that holds an adapter alone"),
        ([], "Name one checkpoint's folder"),
    ):
        assert main(folders) == 1
        assert message in capsys.readouterr().err
    assert not (checkpoint / "config.json").exists()
