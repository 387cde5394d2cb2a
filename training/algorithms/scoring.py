"""Scores of given completions, for evaluation: a reward model's, or a policy's log-probabilities.

A prompt that does not fit the model's context beside half a context of completion loses its beginning, as in training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import torch
from torch import Tensor
from transformers import PreTrainedModel

from training.algorithms.batches import (
    TreeBatch,
    collate,
    completion_scores,
    cut_by_tokens,
    sum_by_completion,
)
from training.algorithms.batches import completion_logps as token_logps_of
from training.algorithms.chat import Conversation
from training.algorithms.models import load_language_model, load_reward_model
from training.algorithms.tokenisation import ChatTokeniser, load_tokenizer

BATCH_TOKENS: Final = 16_384  # padded tokens of one forward pass
MAX_CONTEXT: Final = 4096  # tokens looked at of models whose context is longer


def score_completions(model: str, conversations: Sequence[Conversation], completions: Sequence[str]) -> list[float]:
    """The reward model's score of each completion of its conversation."""
    loaded = load_reward_model(model)

    def scores(batch: TreeBatch) -> Tensor:
        return completion_scores(loaded, batch)

    return _measure(scores, _tokeniser(model, loaded.network), conversations, completions)


def completion_logps(model: str, conversations: Sequence[Conversation], completions: Sequence[str]) -> list[float]:
    """The policy's summed log-probability of each completion, stop token included, nats."""
    loaded = load_language_model(model)

    def logps(batch: TreeBatch) -> Tensor:
        return sum_by_completion(token_logps_of(loaded, batch).logps_N, batch)

    return _measure(logps, _tokeniser(model, loaded.network), conversations, completions)


def _tokeniser(model: str, network: PreTrainedModel) -> ChatTokeniser:
    context = min(MAX_CONTEXT, int(getattr(network.config, "max_position_embeddings", MAX_CONTEXT)))
    return ChatTokeniser(
        load_tokenizer(model), max_prompt_tokens=context - context // 2, max_completion_tokens=context // 2
    )


def _measure(
    measure: Callable[[TreeBatch], Tensor],
    tokeniser: ChatTokeniser,
    conversations: Sequence[Conversation],
    completions: Sequence[str],
) -> list[float]:
    """`measure` of every completion, computed in batches of like length, in the order given."""
    pairs = zip(conversations, completions, strict=True)
    trees = [tokeniser.tree(conversation, [completion]) for conversation, completion in pairs]
    lengths = [tree.num_padded_tokens for tree in trees]
    order = sorted(range(len(trees)), key=lengths.__getitem__)
    values = [0.0] * len(trees)
    with torch.no_grad():
        for group in cut_by_tokens(order, lengths, max_tokens=BATCH_TOKENS):
            measured: list[float] = measure(collate([trees[i] for i in group], pad_id=tokeniser.pad_id)).tolist()
            for index, value in zip(group, measured, strict=True):
                values[index] = value
    return values
