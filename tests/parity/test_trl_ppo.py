"""The pieces of PPO on what TRL 1.12 computed in a rollout and update of its own."""

from __future__ import annotations

import os
import subprocess

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.testing import assert_close

from benchmarks.training.workers import PEER_PYTHONS, ROOT
from tests.training.algorithms import builders
from training.algorithms.advantages import generalised_advantages, shaped_rewards, whitened
from training.algorithms.losses import ppo_policy_loss, ppo_value_loss

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    """TRL's own numbers: a rollout of 8 replies of 6 tokens, and the last micro-batch of its update."""
    python = PEER_PYTHONS["trl_ppo"]
    if not python.exists():
        pytest.skip(f"TRL is not at {python.parent.parent}: `make bench-peers` installs it")
    folder = tmp_path_factory.mktemp("ppo")
    model = builders.saved_model(folder / "model")
    builders.saved_model(folder / "other", seed=1)
    judge = builders.saved_reward_model(folder / "judge")
    builders.tokenizer().save_pretrained(judge)
    command = [str(python), "-m", "tests.parity.ppo_pieces", model, judge, str(folder / "seen.safetensors")]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    tensors = load_file(folder / "seen.safetensors")
    assert not tensors["padding_mask"].any(), "the replies are meant to be of one length"
    return tensors


def test_rewards_are_shaped_as_trl_shapes_them(seen: dict[str, Tensor]) -> None:
    found = shaped_rewards(
        scores_C=seen["scores"],
        logps_CL=seen["logprobs"],
        reference_logps_CL=seen["ref_logprobs"],
        mask_CL=torch.ones_like(seen["logprobs"]),
        beta=0.3,
    )
    assert seen["rewards"].std() > 0.1
    assert_close(found, seen["rewards"])


def test_advantages_are_those_of_trl(seen: dict[str, Tensor]) -> None:
    found = generalised_advantages(
        rewards_CL=seen["rewards"],
        values_CL=seen["values"],
        mask_CL=torch.ones_like(seen["rewards"]),
        gamma=0.97,
        gae_lambda=0.9,
    )
    assert_close(found.advantages_CL, seen["advantages"])
    assert_close(found.returns_CL, seen["advantages"] + seen["values"])


def test_whitening_is_that_of_trl_but_for_its_sample_variance(seen: dict[str, Tensor]) -> None:
    """TRL divides by n - 1 (Bessel), we by n."""
    found = whitened(seen["advantages"], torch.ones_like(seen["advantages"]))
    num_tokens = seen["advantages"].numel()
    assert_close(found * ((num_tokens - 1) / num_tokens) ** 0.5, seen["whitened"])


def test_the_clipped_policy_loss_is_that_of_trl(seen: dict[str, Tensor]) -> None:
    found = ppo_policy_loss(
        logps_N=seen["new_logprobs"],
        old_logps_N=seen["mb_logprobs"],
        advantages_N=seen["mb_advantage"],
        ratio_clip=0.2,
    )
    assert found.is_clipped_N.any()
    assert not found.is_clipped_N.all()
    assert_close(found.losses_N, seen["pg_loss_max"])


def test_the_clipped_value_loss_is_half_of_trls_square(seen: dict[str, Tensor]) -> None:
    """TRL halves after the mean."""
    found = ppo_value_loss(
        values_N=seen["vpred"], old_values_N=seen["mb_values"], returns_N=seen["mb_return"], value_clip=0.2
    )
    held_back = (seen["vpred"] - seen["mb_values"]).abs() > 0.2
    assert held_back.any()
    assert_close(2 * found, seen["vf_loss_max"])
