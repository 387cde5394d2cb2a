"""Complete settings as functions. No torch here: the web process reads them.

The `starter_…` presets make the demonstration out of the starter prompts: a fresh model of two million parameters
is taught until it still errs often, and preferences mend it. The `dialogues_…` presets train a fresh model on a
few thousand imported dialogues.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.algorithms.config import (
    DPOConfig,
    FreshModelConfig,
    KTOConfig,
    ORPOConfig,
    PPOConfig,
    RewardConfig,
    SFTConfig,
    SimPOConfig,
)


@dataclass(frozen=True, kw_only=True)
class StarterSizes:
    """How much the demonstration generates, judges and measures."""

    num_demonstrations: int = 8_000  # prompts with a demonstration, for SFT
    careless_share: float = 0.4  # of the demonstrations: wordy, as real ones often are
    num_prompts: int = 5_000  # further prompts, for candidates, PPO and evaluation
    held_out_fraction: float = 0.3  # of both, never trained on
    num_candidate_prompts: int = 2_000  # of the further prompts get completions to judge, held-out ones among them
    num_completions: int = 4  # candidates a prompt
    temperature: float = 1.0  # of the candidates
    max_new_tokens: int = 16  # tokens a completion, stop token included
    max_pairs_per_prompt: int = 2  # pairwise comparisons of one prompt's candidates
    num_pairs: int | None = 3_000  # pairwise comparisons, at most
    num_rankings: int | None = 200  # rankings of all candidates of a prompt, at most
    num_labeler_tasks: int = 20  # comparisons of each campaign that want a person too
    num_eval_prompts: int = 800  # held-out prompts in the evaluation of policies
    num_eval_completions: int = 1  # completions a policy and prompt in the evaluation
    eval_temperature: float = 1.0  # of these completions


def starter_sft() -> SFTConfig:
    """A fresh model on the demonstrations, ended while it still errs often."""
    return SFTConfig(
        fresh=FreshModelConfig(vocab_size=512, context_tokens=256),
        learning_rate=2e-3,
        warmup_steps=50,
        batch_size=32,
        groups_by_length=False,
        num_epochs=10,
        max_steps=600,
        max_prompt_tokens=96,
        max_completion_tokens=24,
        eval_every=100,
        eval_examples=300,
        stop_at_exact=0.4,
        checkpoint_every=300,
        log_every=5,
    )


def starter_reward() -> RewardConfig:
    """A reward model on the judged pairs."""
    return RewardConfig(
        learning_rate=3e-4,
        warmup_steps=10,
        weight_decay=0.01,
        batch_size=32,
        groups_by_length=False,
        num_epochs=1,
        max_prompt_tokens=96,
        max_completion_tokens=24,
        eval_every=25,
        eval_examples=400,
        checkpoint_every=100,
    )


def starter_dpo() -> DPOConfig:
    """A policy on the same pairs."""
    return DPOConfig(
        learning_rate=2e-4,
        warmup_steps=10,
        beta=0.1,
        batch_size=32,
        groups_by_length=False,
        num_epochs=1,
        max_prompt_tokens=96,
        max_completion_tokens=24,
        eval_every=25,
        eval_examples=400,
        checkpoint_every=100,
    )


def starter_ppo() -> PPOConfig:
    """A policy against the reward model."""
    return PPOConfig(
        learning_rate=2e-4,
        critic_learning_rate=3e-4,
        warmup_steps=2,
        final_learning_rate=0.3,
        batch_size=192,
        num_minibatches=4,
        num_epochs=10,
        max_steps=25,
        max_prompt_tokens=96,
        max_completion_tokens=16,
        beta=0.03,
        eval_every=12,
        eval_examples=200,
        checkpoint_every=10,
    )


def dialogues_sft() -> SFTConfig:
    """A fresh model on the preferred replies of imported dialogues."""
    return SFTConfig(
        fresh=FreshModelConfig(vocab_size=4_096, context_tokens=512),
        learning_rate=2e-3,
        warmup_steps=30,
        batch_size=16,
        num_epochs=2,
        max_prompt_tokens=128,
        max_completion_tokens=96,
        eval_every=50,
        eval_examples=128,
        checkpoint_every=100,
    )


def dialogues_reward() -> RewardConfig:
    """A reward model on imported dialogues."""
    return RewardConfig(
        learning_rate=1e-4,
        warmup_steps=10,
        weight_decay=0.01,
        batch_size=16,
        num_epochs=1,
        max_prompt_tokens=128,
        max_completion_tokens=96,
        eval_every=40,
        checkpoint_every=100,
    )


def dialogues_dpo() -> DPOConfig:
    """A policy on imported dialogues."""
    return DPOConfig(
        learning_rate=5e-5,
        warmup_steps=10,
        beta=0.1,
        batch_size=16,
        num_epochs=1,
        max_prompt_tokens=128,
        max_completion_tokens=96,
        eval_every=40,
        checkpoint_every=100,
    )


def dialogues_kto() -> KTOConfig:
    """A policy on labelled replies of imported dialogues, two a pair; not tuned."""
    return KTOConfig(
        learning_rate=5e-5,
        beta=0.1,
        warmup_steps=10,
        batch_size=32,
        num_epochs=1,
        max_prompt_tokens=128,
        max_completion_tokens=96,
        eval_every=40,
        checkpoint_every=100,
    )


def dialogues_orpo() -> ORPOConfig:
    """A policy on imported dialogues without a reference; not tuned."""
    return ORPOConfig(
        learning_rate=1e-4,
        odds_weight=0.1,
        warmup_steps=10,
        batch_size=16,
        num_epochs=1,
        max_prompt_tokens=128,
        max_completion_tokens=96,
        eval_every=40,
        checkpoint_every=100,
    )


def dialogues_simpo() -> SimPOConfig:
    """A policy on imported dialogues without a reference; not tuned, margin and beta as in its paper's examples."""
    return SimPOConfig(
        learning_rate=5e-5,
        beta=2.0,
        target_margin=1.0,
        warmup_steps=10,
        batch_size=16,
        num_epochs=1,
        max_prompt_tokens=128,
        max_completion_tokens=96,
        eval_every=40,
        checkpoint_every=100,
    )
