"""Seeds of rollouts, and what happens when another engine samples from something else than the policy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from tests.training.algorithms.builders import WORDS, ask, reward_model, saved_model, tokeniser
from training.algorithms.config import PPOConfig
from training.algorithms.models import load_language_model
from training.algorithms.rollout import Networks, gap_of, in_process_sampler, read_rollout, roll_out
from training.algorithms.samplers import Sampled, SamplerDisagrees, prompt_seeds, sampler_gap

PROMPTS = [tokeniser().prompt(ask(f"Say {word}.")) for word in WORDS]
CONFIG = PPOConfig(batch_size=8, num_minibatches=1, max_completion_tokens=6, max_prompt_tokens=40)


class OtherWeights:
    """Samples as the policy does, but says what another model would have said, until it is renewed often enough."""

    def __init__(self, networks: Networks, other: Networks, *, num_renewals: int) -> None:
        self._networks, self._other = networks, other
        self.num_renewals = num_renewals
        self.renewed = 0

    def sample(self, prompts: Sequence[Sequence[int]], *, seeds: Sequence[int]) -> Sampled:
        sampled = in_process_sampler(self._networks, CONFIG).sample(prompts, seeds=seeds)
        speaker = self._networks if self.renewed >= self.num_renewals else self._other
        read = read_rollout(speaker, [tuple(prompt) for prompt in prompts], sampled, CONFIG)
        logps = [row[: len(one)].tolist() for row, one in zip(read.logps_CL, sampled.completions, strict=True)]
        return Sampled(completions=sampled.completions, logps=logps)

    def policy_changed(self) -> None:
        """It never follows."""

    def renew(self) -> None:
        self.renewed += 1

    def close(self) -> None:
        """It holds nothing."""


def networks(folder: Path, *, seed: int) -> Networks:
    chat = tokeniser()
    policy = load_language_model(saved_model(folder / f"policy-{seed}", seed=seed))
    judge = reward_model(folder / "judge")
    return Networks(
        policy=policy, reference=policy, reward=judge, critic=judge, stop_id=chat.stop_id, pad_id=chat.pad_id
    )


def test_seeds_are_those_of_the_run_the_step_and_the_place_alone() -> None:
    assert prompt_seeds(7, 3, 4) == prompt_seeds(7, 3, 9)[:4]
    drawn = [seed for run in (0, 1) for step in (-1, 0, 1) for seed in prompt_seeds(run, step, 50)]
    assert len(set(drawn)) == len(drawn)
    assert all(0 <= seed < 2**31 for seed in drawn)


def test_the_gap_is_a_mean_over_the_sampled_tokens() -> None:
    mask_CL = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    own_CL = torch.tensor([[-1.0, -2.0, 0.0], [-3.0, 0.0, 0.0]])
    other_CL = torch.tensor([[-1.5, -2.0, 9.0], [-2.0, 9.0, 9.0]])
    assert sampler_gap(own_CL, other_CL, mask_CL) == pytest.approx((0.5 + 0 + 1) / 3)
    assert sampler_gap(own_CL, None, mask_CL) == 0.0


def test_an_engine_that_samples_from_other_weights_is_renewed_once_and_then_trusted(tmp_path: Path) -> None:
    made = networks(tmp_path, seed=0)
    sampler = OtherWeights(made, networks(tmp_path, seed=1), num_renewals=1)
    rollout = roll_out(made, PROMPTS, CONFIG, sampler, seeds=prompt_seeds(0, 0, 8))
    assert sampler.renewed == 1
    assert rollout.sampler_logps_CL is not None
    assert gap_of(rollout) < 1e-5


def test_an_engine_that_still_samples_from_other_weights_ends_the_run_with_a_name(tmp_path: Path) -> None:
    made = networks(tmp_path, seed=0)
    sampler = OtherWeights(made, networks(tmp_path, seed=1), num_renewals=2)
    with pytest.raises(SamplerDisagrees, match=r'nats apart on average, 0\.002 are allowed.*"in_process"'):
        roll_out(made, PROMPTS, CONFIG, sampler, seeds=prompt_seeds(0, 0, 8))
    assert sampler.renewed == 1
