"""Settings that were tuned: each a function that returns a complete configuration. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from training.algorithms.config import DPOConfig, FreshModelConfig, PPOConfig, RewardConfig, SFTConfig


@dataclass(frozen=True, kw_only=True)
class StarterSizes:
    """How much of everything the starter pipeline makes. `pipeline/` reads these fields by name."""

    num_prompts: int = 6000  # starter prompts, held-out ones included
    held_out_fraction: float = 0.3  # of the prompts, by fingerprint
    num_candidate_prompts: int = 1200  # prompts that candidates are sampled for (of both splits)
    num_completions: int = 4  # candidates a prompt, and completions in a ranking
    temperature: float = 1.0  # of the candidates
    max_new_tokens: int = 24  # of candidates and held-out completions
    max_pairs_per_prompt: int = 3  # pairwise comparisons of one prompt, at most
    num_pairs: int | None = 1500  # pairwise comparisons in all, at most
    num_rankings: int | None = 300  # rankings in all, at most
    num_labeler_tasks: int = 20  # comparisons of each campaign that also want a person's judgment
    num_eval_prompts: int = 600  # held-out prompts that the policies are compared on
    num_eval_completions: int = 2  # a prompt and policy
    eval_temperature: float = 1.0  # of the held-out completions


def starter_sft() -> SFTConfig:
    """A small Llama that knows the kinds of instructions but still errs often."""
    return SFTConfig(
        fresh=FreshModelConfig(), batch_size=64, learning_rate=1e-3, num_epochs=2, eval_every=50, stop_at_exact=0.5
    )


def starter_reward() -> RewardConfig:
    return RewardConfig(batch_size=64, learning_rate=3e-4, num_epochs=2)


def starter_dpo() -> DPOConfig:
    return DPOConfig(batch_size=64, learning_rate=1e-4, num_epochs=1)


def starter_ppo() -> PPOConfig:
    return PPOConfig(batch_size=128, learning_rate=1e-4, max_steps=20, max_completion_tokens=24)


def dialogues_sft() -> SFTConfig:
    return SFTConfig(fresh=FreshModelConfig(vocab_size=4096), batch_size=32, learning_rate=1e-3)


def dialogues_reward() -> RewardConfig:
    return RewardConfig(batch_size=32, learning_rate=3e-4)


def dialogues_dpo() -> DPOConfig:
    return DPOConfig(batch_size=32, learning_rate=1e-4)
