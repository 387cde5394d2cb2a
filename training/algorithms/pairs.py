"""What the algorithms on preferences share: trees of replies, the data of a run by index, means over held-out rows.

P pairs; the completions of pairs are ordered chosen, rejected, chosen, rejected, …
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from training.algorithms.batches import TreeBatch, groups, sum_by_completion
from training.algorithms.examples import PreferencePair
from training.algorithms.gradients import Measures
from training.algorithms.losses import RewardedLoss
from training.algorithms.models import LanguageModel, RewardModel
from training.algorithms.tokenisation import ChatTokeniser, TokenTree

PairStep = Callable[[Sequence[int]], tuple[Tensor, Measures]]  # indexes to summed loss and summed measures


def pair_trees(pairs: Sequence[PreferencePair], tokeniser: ChatTokeniser) -> list[TokenTree]:
    """Pairs as trees of two completions, the chosen one first."""
    return [tokeniser.tree(pair.prompt, [pair.chosen, pair.rejected]) for pair in pairs]


def soft_targets(pairs: Sequence[PreferencePair], is_soft: bool) -> Tensor:
    """How likely each chosen one is the better: what the dataset says, or 1; shape (P,)."""
    return torch.tensor([pair.p_chosen if is_soft else 1.0 for pair in pairs])


def chosen_and_rejected(values_C: Tensor) -> tuple[Tensor, Tensor]:
    """Values of completions as (chosen_P, rejected_P)."""
    chosen_P, rejected_P = values_C.view(-1, 2).unbind(-1)
    return chosen_P, rejected_P


def mean_by_completion(values_N: Tensor, batch: TreeBatch) -> Tensor:
    """Means over each completion's tokens, shape (C,)."""
    return sum_by_completion(values_N, batch) / sum_by_completion(torch.ones_like(values_N), batch)


def is_right(margins_P: Tensor) -> Tensor:
    """1 where the chosen completion is ahead, ½ where there is no difference, else 0."""
    return (margins_P.sign() + 1) / 2


def policy_measures(result: RewardedLoss, chosen_logps_P: Tensor, rejected_logps_P: Tensor) -> Measures:
    """Sums over the pairs of what the curves of a policy on pairs show; log-probabilities are those of completions."""
    margins_P = result.chosen_rewards_P - result.rejected_rewards_P
    return {
        "accuracy": is_right(margins_P).sum(),
        "margin": margins_P.sum(),
        "chosen_reward": result.chosen_rewards_P.sum(),
        "rejected_reward": result.rejected_rewards_P.sum(),
        "chosen_logps": chosen_logps_P.detach().sum(),
        "rejected_logps": rejected_logps_P.detach().sum(),
    }


def evaluate_pairs(
    step: PairStep, model: LanguageModel | RewardModel, trees: Sequence[TokenTree], *, max_tokens: int
) -> dict[str, float]:
    """Means over held-out examples of the loss and of everything that a training step measures."""
    if not trees:
        return {}
    totals: dict[str, float] = {}
    with torch.no_grad():
        for group in groups(model, trees, max_tokens=max_tokens):
            loss, measures = step(group)
            for name, total in {"loss": loss, **measures}.items():
                totals[name] = totals.get(name, 0.0) + total.item()
    return {f"held_out_{name}": total / len(trees) for name, total in totals.items()}
