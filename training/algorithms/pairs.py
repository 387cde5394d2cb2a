"""What reward models and DPO share: pairs as trees of two completions, and how margins are summed up.

P pairs; completions are ordered chosen, rejected, chosen, rejected, …
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from training.algorithms.batches import cut_by_tokens
from training.algorithms.examples import PreferencePair
from training.algorithms.loop import Measures
from training.algorithms.tokenisation import ChatTokeniser, TokenTree

PairStep = Callable[[Sequence[int]], tuple[Tensor, Measures]]  # indexes to summed loss and summed measures


def as_tree(pair: PreferencePair, tokeniser: ChatTokeniser) -> TokenTree:
    """A pair as a tree of two completions, the chosen one first."""
    return tokeniser.tree(pair.prompt, [pair.chosen, pair.rejected])


def chosen_and_rejected(values_C: Tensor) -> tuple[Tensor, Tensor]:
    """Values of completions as (chosen_P, rejected_P)."""
    chosen_P, rejected_P = values_C.view(-1, 2).unbind(-1)
    return chosen_P, rejected_P


def is_right(margins_P: Tensor) -> Tensor:
    """1 where the chosen completion is ahead, ½ where there is no difference, else 0."""
    return (margins_P.sign() + 1) / 2


def evaluate_pairs(step: PairStep, lengths: Sequence[int], *, max_tokens: int) -> dict[str, float]:
    """Means over held-out pairs of the loss and of everything that a training step measures."""
    if not lengths:
        return {}
    totals: dict[str, float] = {}
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    with torch.no_grad():
        for group in cut_by_tokens(order, lengths, max_tokens=max_tokens):
            loss, measures = step(group)
            for name, total in {"loss": loss, **measures}.items():
                totals[name] = totals.get(name, 0.0) + total.item()
    return {f"held_out_{name}": total / len(lengths) for name, total in totals.items()}
