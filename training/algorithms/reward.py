"""Reward models on pairs or on rankings: a scalar head at the last real token.

A ranking is one tree of K completions, a pair a tree of two; the K(K-1)/2 pairs of a tree cost K passes.
C completions of a micro-batch, P judged pairs of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from training.algorithms.batches import collate, completion_scores
from training.algorithms.config import RewardConfig
from training.algorithms.gradients import Measures
from training.algorithms.judged_trees import JudgedTree, read_judged_trees
from training.algorithms.loop import Objective, fit
from training.algorithms.models import RewardModel, reward_model_from
from training.algorithms.pairs import evaluate_pairs, is_right
from training.algorithms.reward_losses import OUTCOME_MODELS, bradley_terry_loss, plackett_luce_loss
from training.algorithms.session import Session
from training.algorithms.start import chat_tokeniser, check_context, initial_model, report_truncation


def train_reward(session: Session, config: RewardConfig) -> None:
    """Run an order of algorithm reward."""
    start = initial_model(session)
    tokeniser = chat_tokeniser(start, config)
    model = reward_model_from(start, pad_id=tokeniser.pad_id, dtype=config.dtype)
    check_context(model.network, config)
    train, held_out = read_judged_trees(session, config, tokeniser)
    report_truncation(session, tokeniser)

    def loss(indexes: Sequence[int]) -> tuple[Tensor, Measures]:
        return reward_step(model, [train[i] for i in indexes], config, pad_id=tokeniser.pad_id)

    def held_out_loss(indexes: Sequence[int]) -> tuple[Tensor, Measures]:
        return reward_step(model, [held_out[i] for i in indexes], config, pad_id=tokeniser.pad_id)

    def evaluate(step: int) -> dict[str, float]:
        del step
        trees = [item.tree for item in held_out]
        return evaluate_pairs(held_out_loss, model, trees, max_tokens=config.micro_batch_tokens)

    objective = Objective(
        model=model,
        tokenizer=tokeniser.tokenizer,
        trees=[item.tree for item in train],
        count=lambda indexes: float(len(indexes)),
        loss=loss,
        evaluate=evaluate,
    )
    fit(objective, config, session)


def reward_step(
    model: RewardModel, items: Sequence[JudgedTree], config: RewardConfig, *, pad_id: int
) -> tuple[Tensor, Measures]:
    """Summed loss of a micro-batch of prompts, and sums of what the curves show, in which each prompt counts as one."""
    scores_C = completion_scores(model, collate([item.tree for item in items], pad_id=pad_id))
    starts = first_completions(items)
    placed = [(start, pair) for start, item in zip(starts, items, strict=True) for pair in item.pairs]
    chosen_P = scores_C[[start + pair.chosen for start, pair in placed]]
    rejected_P = scores_C[[start + pair.rejected for start, pair in placed]]

    def column(name: str) -> Tensor:
        return torch.tensor([getattr(pair, name) for _, pair in placed], device=scores_C.device)

    if config.ranking_loss == "plackett_luce":
        loss = summed_plackett_luce(scores_C, items, centring=config.centring)
    else:
        loss = bradley_terry_loss(
            chosen_scores_P=chosen_P,
            rejected_scores_P=rejected_P,
            weights_P=column("weight"),
            p_chosen_P=column("p_chosen"),
            p_tied_P=column("p_tied"),
            margins_P=column("margin"),
            label_smoothing=config.label_smoothing,
            centring=config.centring,
            outcomes=OUTCOME_MODELS[config.ties],
            tie_rate=config.tie_rate,
        ).sum()
    chosen_P, rejected_P, shares_P = chosen_P.detach(), rejected_P.detach(), column("share")
    return loss, {
        "accuracy": (shares_P * is_right(chosen_P - rejected_P)).sum(),
        "margin": (shares_P * (chosen_P - rejected_P)).sum(),
        "chosen_score": (shares_P * chosen_P).sum(),
        "rejected_score": (shares_P * rejected_P).sum(),
    }


def first_completions(items: Sequence[JudgedTree]) -> list[int]:
    """The number of each prompt's first completion among the C of a micro-batch."""
    return [0, *accumulate(len(item.tree.completions) for item in items)][:-1]


def summed_plackett_luce(scores_C: Tensor, items: Sequence[JudgedTree], *, centring: float) -> Tensor:
    """Plackett–Luce over all rankings of a micro-batch, a scalar; centring is that of pairs, c (2 mean r)²."""
    parts = scores_C.split([len(item.tree.completions) for item in items])
    losses = [
        item.weight
        * (plackett_luce_loss(scores_K=scores_K, tiers=item.tiers) + centring * (2 * scores_K.mean()).square())
        for item, scores_K in zip(items, parts, strict=True)
    ]
    return torch.stack(losses).sum()
