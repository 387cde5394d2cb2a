"""What a model thinks of given completions: reward scores and log-probabilities, batched by length.

For workers that evaluate; training runs have these numbers at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from training.algorithms.batches import (
    TreeBatch,
    completion_scores,
    micro_batches,
    sum_by_completion,
)
from training.algorithms.batches import completion_logps as token_logps_of
from training.algorithms.chat import Conversation
from training.algorithms.models import LanguageModel, RewardModel, load_language_model, load_reward_model
from training.algorithms.tokenisation import ChatTokeniser, load_tokenizer

Scorer = Callable[[Sequence[Conversation], Sequence[str]], list[float]]

MICRO_BATCH_TOKENS: Final = 16_384  # padded tokens of one forward pass


def score_completions(
    model_path: str | Path, conversations: Sequence[Conversation], completions: Sequence[str]
) -> list[float]:
    """The reward model's score of each completion of the conversation beside it. Raises `TrainingFailure`."""
    return reward_scorer(model_path)(conversations, completions)


def reward_scorer(model_path: str | Path) -> Scorer:
    """Scores conversations and completions by a reward model that is loaded once. Raises `TrainingFailure`."""
    model = load_reward_model(model_path)
    tokeniser = unlimited_tokeniser(model_path, model.network.config.max_position_embeddings)
    return lambda conversations, completions: measured(
        model, tokeniser, conversations, completions, lambda batch: completion_scores(model, batch)
    )


def completion_logps(
    model_path: str | Path, conversations: Sequence[Conversation], completions: Sequence[str]
) -> list[float]:
    """log pi(completion | conversation) of a language model, stop token included, nats. Raises `TrainingFailure`."""
    model = load_language_model(model_path)
    tokeniser = unlimited_tokeniser(model_path, model.network.config.max_position_embeddings)
    return measured(
        model,
        tokeniser,
        conversations,
        completions,
        lambda batch: sum_by_completion(token_logps_of(model, batch).logps_N, batch),
    )


@torch.no_grad()
def measured(
    model: LanguageModel | RewardModel,
    tokeniser: ChatTokeniser,
    conversations: Sequence[Conversation],
    completions: Sequence[str],
    measure: Callable[[TreeBatch], Tensor],
) -> list[float]:
    """`measure` of every completion, in the order given."""
    pairs = zip(conversations, completions, strict=True)
    trees = [tokeniser.tree(conversation, [completion]) for conversation, completion in pairs]
    values = torch.zeros(len(trees))
    for group, batch in micro_batches(model, trees, pad_id=tokeniser.pad_id, max_tokens=MICRO_BATCH_TOKENS):
        values[group] = measure(batch)
    return [float(value) for value in values.tolist()]


def unlimited_tokeniser(model_path: str | Path, context_tokens: int) -> ChatTokeniser:
    """A tokeniser that cuts only what the model has no positions for: a prompt or a completion over half of them."""
    half = context_tokens // 2
    return ChatTokeniser(load_tokenizer(model_path), max_prompt_tokens=half, max_completion_tokens=half)
