"""Reward models: Bradley–Terry on a scalar head at the last real token.

P pairs, C = 2 P completions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from training.algorithms.batches import collate, completion_scores
from training.algorithms.config import RewardConfig
from training.algorithms.examples import read_pairs
from training.algorithms.loop import Measures, Objective, fit
from training.algorithms.losses import bradley_terry_loss
from training.algorithms.models import RewardModel, reward_model_from
from training.algorithms.pairs import as_tree, chosen_and_rejected, evaluate_pairs, is_right
from training.algorithms.session import Session
from training.algorithms.start import chat_tokeniser, check_context, initial_model, report_truncation
from training.algorithms.tokenisation import TokenTree


def train_reward(session: Session, config: RewardConfig) -> None:
    """Run an order of algorithm reward."""
    data = read_pairs(session.data)
    start = initial_model(session)
    tokeniser = chat_tokeniser(start, config)
    model = reward_model_from(start, pad_id=tokeniser.pad_id)
    check_context(model.network, config)
    trees = [as_tree(pair, tokeniser) for pair in data.train]
    held_out = [as_tree(pair, tokeniser) for pair in data.held_out[: config.eval_examples]]
    report_truncation(session, tokeniser)
    weights, held_out_weights = ([pair.weight for pair in split] for split in data)

    def loss(indexes: Sequence[int]) -> tuple[Tensor, Measures]:
        weights_P = torch.tensor([weights[i] for i in indexes])
        return reward_step(model, [trees[i] for i in indexes], weights_P, config, pad_id=tokeniser.pad_id)

    def held_out_loss(indexes: Sequence[int]) -> tuple[Tensor, Measures]:
        weights_P = torch.tensor([held_out_weights[i] for i in indexes])
        return reward_step(model, [held_out[i] for i in indexes], weights_P, config, pad_id=tokeniser.pad_id)

    def evaluate(step: int) -> dict[str, float]:
        del step
        lengths = [tree.num_padded_tokens for tree in held_out]
        return evaluate_pairs(held_out_loss, lengths, max_tokens=config.micro_batch_tokens)

    objective = Objective(
        network=model.network,
        tokenizer=tokeniser.tokenizer,
        lengths=[tree.num_padded_tokens for tree in trees],
        count=lambda indexes: float(len(indexes)),
        loss=loss,
        evaluate=evaluate,
    )
    fit(objective, config, session)


def reward_step(
    model: RewardModel, trees: Sequence[TokenTree], weights_P: Tensor, config: RewardConfig, *, pad_id: int
) -> tuple[Tensor, Measures]:
    """Summed loss of a micro-batch of pairs, and sums of what the curves show."""
    scores_C = completion_scores(model, collate(trees, pad_id=pad_id))
    chosen_P, rejected_P = chosen_and_rejected(scores_C)
    losses_P = bradley_terry_loss(
        chosen_scores_P=chosen_P,
        rejected_scores_P=rejected_P,
        weights_P=weights_P,
        label_smoothing=config.label_smoothing,
        centring=config.centring,
    )
    chosen_P, rejected_P = chosen_P.detach(), rejected_P.detach()
    return losses_P.sum(), {
        "accuracy": is_right(chosen_P - rejected_P).sum(),
        "margin": (chosen_P - rejected_P).sum(),
        "chosen_score": chosen_P.sum(),
        "rejected_score": rejected_P.sum(),
    }
