"""Who samples the completions of a rollout, and how far the trainer and it agree.

C completions, L longest completion.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from training.algorithms.config import PPOConfig
from training.algorithms.devices import sent
from training.algorithms.failures import TrainingFailure
from training.algorithms.models import LanguageModel
from training.algorithms.sampling import sample_completions

Tokens = Sequence[int]


class SamplerDisagrees(TrainingFailure):
    """Another engine gives the sampled tokens other log-probabilities than the trainer, even after a fresh start."""

    def __init__(self, gap: float, *, num_tokens: int, allowed: float) -> None:
        super().__init__(
            "model_error",
            f"The engine of the rollouts and the trainer disagree about {num_tokens} sampled tokens: their "
            f"log-probabilities lie {gap:.3g} nats apart on average, {allowed:.3g} are allowed (max_sampler_gap). The "
            "engine started anew with the trainer's weights, and still samples from another distribution. Set "
            'rollout_engine to "in_process"; or raise max_sampler_gap if the engine only computes less exactly.',
        )


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """One completion a prompt."""

    completions: list[tuple[int, ...]]
    logps: list[list[float]] | None = None  # by the engine that sampled, nats a token; None: the trainer's own policy


class Sampler(Protocol):
    """Samples from the policy as the trainer has it at that moment."""

    def sample(self, prompts: Sequence[Tokens], *, seeds: Sequence[int]) -> Sampled:
        """One completion a prompt, up to and including the stop token."""

    def policy_changed(self) -> None:
        """The trainer has moved the policy: what is sampled next comes from the new one."""

    def renew(self) -> None:
        """Start anew with the trainer's weights."""

    def close(self) -> None:
        """Free what it holds."""


@dataclass(frozen=True, kw_only=True)
class InProcessSampler:
    """The trainer's own network with a key-value cache. It draws from the global random state, which runs resume."""

    policy: LanguageModel
    config: PPOConfig
    stop_id: int
    pad_id: int

    def sample(self, prompts: Sequence[Tokens], *, seeds: Sequence[int]) -> Sampled:
        """One completion a prompt; the seeds are not needed."""
        del seeds
        completions = sample_completions(
            self.policy,
            prompts,
            max_new_tokens=self.config.max_completion_tokens,
            temperature=self.config.temperature,
            stop_id=self.stop_id,
            pad_id=self.pad_id,
        )
        return Sampled(completions=completions)

    def policy_changed(self) -> None:
        """Nothing to do: the network is the trainer's."""

    def renew(self) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def prompt_seeds(run_seed: int, step: int, num_prompts: int) -> list[int]:
    """A seed for each prompt of a rollout, 31 bits: a function of the run's seed, the step and the prompt's place."""
    return [
        int.from_bytes(hashlib.blake2b(f"{run_seed}/{step}/{place}".encode(), digest_size=4).digest()) >> 1
        for place in range(num_prompts)
    ]


def sampler_table(sampled: Sampled, like_CL: Tensor) -> Tensor | None:
    """The sampler's log-probabilities as a table like the trainer's, zeros behind each end."""
    if sampled.logps is None:
        return None
    table_CL = torch.zeros(like_CL.shape, dtype=like_CL.dtype)
    for row, logps in enumerate(sampled.logps):
        table_CL[row, : len(logps)] = torch.tensor(logps)
    return sent(table_CL, like_CL.device)


def sampler_gap(logps_CL: Tensor, sampler_logps_CL: Tensor | None, mask_CL: Tensor) -> float:
    """mean |log pi_trainer - log pi_sampler| of the sampled tokens, nats; 0 where the trainer sampled itself."""
    if sampler_logps_CL is None:
        return 0.0
    return float(((logps_CL - sampler_logps_CL).abs() * mask_CL).sum() / mask_CL.sum())
