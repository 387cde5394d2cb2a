"""What a model thinks of given completions: reward scores and log-probabilities, batched by length.

For workers that evaluate; training runs have these numbers at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

import torch
from torch import Tensor

from training.algorithms.batches import (
    TreeBatch,
    completion_member_scores,
    micro_batches,
    sum_by_completion,
)
from training.algorithms.batches import completion_logps as token_logps_of
from training.algorithms.chat import Conversation
from training.algorithms.models import LanguageModel, RewardModel, load_language_model, load_reward_model
from training.algorithms.tokenisation import ChatTokeniser, load_tokenizer

MemberScores = tuple[float, ...]  # what each head of a reward model says of a completion; a plain one has a single head
Scorer = Callable[[Sequence[Conversation], Sequence[str]], list[MemberScores]]

MICRO_BATCH_TOKENS: Final = 16_384  # padded tokens of one forward pass


def score_completions(
    model_path: str | Path, conversations: Sequence[Conversation], completions: Sequence[str]
) -> list[float]:
    """The reward model's score of each completion of the conversation beside it. Raises `TrainingFailure`."""
    return [fmean(members) for members in score_by_members(model_path, conversations, completions)]


def score_by_members(
    model_path: str | Path, conversations: Sequence[Conversation], completions: Sequence[str]
) -> list[MemberScores]:
    """The same, of each member of an ensemble. Raises `TrainingFailure`."""
    return reward_scorer(model_path)(conversations, completions)


def reward_scorer(model_path: str | Path) -> Scorer:
    """Scores conversations and completions by a reward model that is loaded once. Raises `TrainingFailure`."""
    model = load_reward_model(model_path)
    tokeniser = unlimited_tokeniser(model_path, model.network.config.max_position_embeddings)

    def scorer(conversations: Sequence[Conversation], completions: Sequence[str]) -> list[MemberScores]:
        return measured(
            model, tokeniser, conversations, completions, lambda batch: completion_member_scores(model, batch)
        )

    return scorer


def completion_logps(
    model_path: str | Path, conversations: Sequence[Conversation], completions: Sequence[str]
) -> list[float]:
    """log pi(completion | conversation) of a language model, stop token included, nats. Raises `TrainingFailure`."""
    model = load_language_model(model_path)
    tokeniser = unlimited_tokeniser(model_path, model.network.config.max_position_embeddings)
    found = measured(
        model,
        tokeniser,
        conversations,
        completions,
        lambda batch: sum_by_completion(token_logps_of(model, batch).logps_N, batch).unsqueeze(-1),
    )
    return [logp for (logp,) in found]


@torch.no_grad()
def measured(
    model: LanguageModel | RewardModel,
    tokeniser: ChatTokeniser,
    conversations: Sequence[Conversation],
    completions: Sequence[str],
    measure: Callable[[TreeBatch], Tensor],
) -> list[tuple[float, ...]]:
    """The rows of `measure`, whose shape is (C, E), in the order given."""
    pairs = zip(conversations, completions, strict=True)
    trees = [tokeniser.tree(conversation, [completion]) for conversation, completion in pairs]
    values: dict[int, tuple[float, ...]] = {}
    for group, batch in micro_batches(model, trees, pad_id=tokeniser.pad_id, max_tokens=MICRO_BATCH_TOKENS):
        values.update(zip(group, map(tuple, measure(batch).tolist()), strict=True))
    return [values[number] for number in range(len(trees))]


def unlimited_tokeniser(model_path: str | Path, context_tokens: int) -> ChatTokeniser:
    """A tokeniser that cuts only what the model has no positions for: a prompt or a completion over half of them."""
    half = context_tokens // 2
    return ChatTokeniser(load_tokenizer(model_path), max_prompt_tokens=half, max_completion_tokens=half)
