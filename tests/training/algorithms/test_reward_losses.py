"""Expected values by hand; models of ties are distributions; the K-wise losses are those of pairs where K is 2."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from torch import Tensor

from training.algorithms.config import TIE_MODEL_NAMES
from training.algorithms.reward_losses import (
    OUTCOME_MODELS,
    bradley_terry_loss,
    davidson_outcomes,
    plackett_luce_loss,
    ranked_pairs,
    rao_kupper_outcomes,
)


def loss(chosen: float, rejected: float, *, weight: float = 1.0, ties: str = "none", **settings: float) -> float:
    loss_P: Tensor = bradley_terry_loss(
        chosen_scores_P=torch.tensor([chosen]),
        rejected_scores_P=torch.tensor([rejected]),
        weights_P=torch.tensor([weight]),
        outcomes=OUTCOME_MODELS[ties],
        **settings,
    )
    return loss_P.item()


def test_bradley_terry_by_hand() -> None:
    assert loss(0.0, 0.0) == pytest.approx(math.log(2))
    assert loss(0.0, 0.0, label_smoothing=0.3) == pytest.approx(math.log(2))
    assert loss(2.0, 1.0) == pytest.approx(math.log(1 + math.exp(-1)))
    assert loss(2.0, 1.0, weight=0.25) == pytest.approx(0.25 * math.log(1 + math.exp(-1)))
    assert loss(2.0, 1.0, centring=0.01) == pytest.approx(math.log(1 + math.exp(-1)) + 0.01 * 9)
    assert loss(2.0, 1.0, margins_P=3.0) == pytest.approx(math.log(1 + math.exp(2)))


def test_a_soft_label_is_the_mean_of_its_hard_ones_and_a_tie_half_a_win_of_each() -> None:
    won, lost = loss(2.0, 1.0), loss(1.0, 2.0)
    assert loss(2.0, 1.0, p_chosen_P=0.7) == pytest.approx(0.7 * won + 0.3 * lost)
    assert loss(2.0, 1.0, label_smoothing=0.3) == pytest.approx(0.7 * won + 0.3 * lost)
    assert loss(2.0, 1.0, p_chosen_P=0.5, p_tied_P=0.4) == pytest.approx(0.7 * won + 0.3 * lost)


def test_bradley_terry_is_computed_in_single_precision_from_half_precision_scores() -> None:
    loss_P = bradley_terry_loss(
        chosen_scores_P=torch.tensor([1.0], dtype=torch.bfloat16),
        rejected_scores_P=torch.tensor([0.0], dtype=torch.bfloat16),
        weights_P=torch.ones(1),
    )
    assert loss_P.dtype == torch.float32


@pytest.mark.parametrize("outcomes", [rao_kupper_outcomes, davidson_outcomes])
def test_a_model_of_ties_is_a_distribution_whose_equals_tie_as_often_as_it_is_told(outcomes: object) -> None:
    assert callable(outcomes)
    said = outcomes(margins_P=torch.tensor([0.0, 1.5, -30.0]), tie_rate=0.3)
    torch.testing.assert_close(sum(part.exp() for part in said), torch.ones(3))
    assert said.ties_P[0].exp().item() == pytest.approx(0.3, abs=1e-6)
    assert said.wins_P[0].item() == pytest.approx(math.log(0.35), abs=1e-6)
    assert (said.ties_P[1] < said.ties_P[0]).item()


def test_ties_by_hand() -> None:
    # Strengths 2 and 1. Rao and Kupper with theta = 3 (t = 1/2): 2 / (2 + 3) wins, 1 / (1 + 6) losses, the rest ties.
    said = rao_kupper_outcomes(margins_P=torch.tensor([math.log(2)]), tie_rate=0.5)
    assert [part.exp().item() for part in said] == pytest.approx([2 / 5, 1 - 2 / 5 - 1 / 7, 1 / 7], abs=1e-6)
    # Davidson with v = 2 (t = 1/2): 2 : 2 sqrt 2 : 1.
    said = davidson_outcomes(margins_P=torch.tensor([math.log(2)]), tie_rate=0.5)
    total = 3 + 2 * math.sqrt(2)
    assert [part.exp().item() for part in said] == pytest.approx(
        [2 / total, 2 * math.sqrt(2) / total, 1 / total], abs=1e-6
    )


@pytest.mark.parametrize("ties", ["rao_kupper", "davidson"])
def test_a_tie_draws_scores_together_and_a_win_apart(ties: str) -> None:
    near, far = (loss(score, 0.0, ties=ties, p_chosen_P=0.0, p_tied_P=1.0) for score in (0.0, 1.0))
    assert near < far
    assert loss(0.0, 0.0, ties=ties) > loss(1.0, 0.0, ties=ties)


def test_the_configuration_knows_every_model_of_ties() -> None:
    assert tuple(OUTCOME_MODELS) == TIE_MODEL_NAMES


def test_the_pairs_of_a_ranking_are_all_of_them_once_the_better_one_first() -> None:
    assert ranked_pairs([[2], [0, 3], [1]]) == [
        (2, 0, False), (2, 3, False), (2, 1, False), (0, 3, True), (0, 1, False), (3, 1, False)
    ]  # fmt: skip


def plackett_luce(scores: list[float], tiers: list[list[int]]) -> float:
    return plackett_luce_loss(scores_K=torch.tensor(scores), tiers=tiers).item()


def test_plackett_luce_by_hand() -> None:
    # Strengths 1, 2, 4; the order 1, 2, 0 has the probability 2/7 · 4/5 · 1.
    scores = [0.0, math.log(2), math.log(4)]
    assert plackett_luce(scores, [[1], [2], [0]]) == pytest.approx(-math.log(2 / 7 * 4 / 5), abs=1e-6)
    assert plackett_luce([2.0, 1.0], [[0], [1]]) == pytest.approx(loss(2.0, 1.0))


def test_a_tie_in_plackett_luce_is_the_mean_over_its_orders() -> None:
    scores = [0.3, -1.0, 2.0, 0.5, -0.2]
    for tiers in ([[1, 2], [0], [3, 4]], [[0], [1, 2, 3, 4]], [[4, 3, 2, 1, 0]]):
        orders: list[list[int]] = [[]]
        for tier in tiers:
            orders = [[*order, *tied] for order in orders for tied in permutations(tier)]
        mean = sum(plackett_luce(scores, [[i] for i in order]) for order in orders) / len(orders)
        assert plackett_luce(scores, tiers) == pytest.approx(mean, abs=1e-5)
