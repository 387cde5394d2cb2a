from __future__ import annotations

from itertools import permutations

import choix
import numpy as np
import pytest

from annotation.aggregation import aggregate
from annotation.aggregation.plackett_luce import Choices, describe_choices, fit_choices
from tests.annotation.aggregation.judging import FIRST, SECOND, TIE, judgments_of, votes_on_pair

REPLIES = ["w", "x", "y", "z"]


def log_likelihood(tiers: list[list[int]], utilities: np.ndarray, *, worse: list[int]) -> float:
    """The mean of ln P(order) over all orders inside the ties, choice by choice."""
    orders: list[list[int]] = [[]]
    for tier in tiers:
        orders = [[*order, *inner] for order in orders for inner in permutations(tier)]

    def of(order: list[int]) -> float:
        rests = [[*order[place:], *worse] for place in range(len(order))]
        return float(sum(utilities[rest[0]] - np.log(np.exp(utilities[rest]).sum()) for rest in rests))

    return float(np.mean([of(order) for order in orders]))


@pytest.mark.parametrize(
    ("tiers", "is_worse"),
    [
        ([[2], [0], [3], [1]], False),
        ([[2], [0, 1, 3]], False),
        ([[0, 1], [2, 3]], False),
        ([[3], [1]], False),
        ([[3], [1]], True),
        ([[0, 3]], True),
    ],
)
def test_choices_give_the_mean_log_likelihood_over_the_orders_inside_ties(
    tiers: list[list[int]], is_worse: bool
) -> None:
    utilities = np.array([0.3, -1.0, 0.8, 0.1])
    total = sum(utilities[index] for tier in tiers for index in tier)
    for bits, weight in describe_choices(tiers, 4, is_worse):
        members = [index for index in range(4) if int(bits) >> index & 1]
        total -= weight * np.log(np.exp(utilities[members]).sum())
    worse = [index for index in range(4) if not any(index in tier for tier in tiers)] if is_worse else []
    assert total == pytest.approx(log_likelihood(tiers, utilities, worse=worse))


def test_a_tie_of_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 12"):
        describe_choices([list(range(13))], 13, False)


def test_two_completions_are_bradley_and_terrys() -> None:
    judgments = votes_on_pair(FIRST, FIRST, SECOND, TIE, FIRST)
    ours, theirs = (aggregate(name, judgments).consensus["c"] for name in ("plackett_luce", "bradley_terry"))
    assert ours.posterior["utilities"] == pytest.approx(theirs.posterior["utilities"])
    assert ours.posterior["standard_errors"] == pytest.approx(theirs.posterior["standard_errors"])
    assert ours.tiers == theirs.tiers
    assert ours.confidence == pytest.approx(theirs.confidence)


def test_a_weak_prior_gives_the_maximum_likelihood_of_choix() -> None:
    rng = np.random.default_rng(1)
    rankings = [rng.permutation(4).tolist() for _ in range(40)]
    rows = [("c", str(number), [[index] for index in ranking]) for number, ranking in enumerate(rankings)]
    found = aggregate("plackett_luce", judgments_of(rows, {"c": REPLIES}), {"prior_sd": 1e4}).consensus["c"]
    expected = choix.opt_rankings(4, rankings)
    assert found.posterior["utilities"] == pytest.approx((expected - expected.mean()).tolist(), abs=1e-4)


def test_the_top_of_four_wins_against_three() -> None:
    # One choice out of four, ln P = u - ln(e^u + 3 e^-u/3): its slope at the mode meets the prior's.
    rows = [("c", "a", [[2]])]
    posterior = (
        aggregate("plackett_luce", judgments_of(rows, {"c": REPLIES}, unranked_is_worse=True)).consensus["c"].posterior
    )
    top = posterior["utilities"][2]
    chance = np.exp(top) / (np.exp(top) + 3 * np.exp(-top / 3))
    assert 1 - chance == pytest.approx(top / 4, abs=1e-6)
    assert posterior["utilities"][:2] == pytest.approx([-top / 3] * 2, abs=1e-6)


def test_nothing_is_learnt_about_replies_in_a_tray() -> None:
    rows = [("c", "a", [[2], [0]])]
    one = aggregate("plackett_luce", judgments_of(rows, {"c": REPLIES})).consensus["c"]
    assert one.tiers is None
    assert one.reason == "no chain of judgments connects completions 0 and 1"
    assert one.posterior["utilities"][1] == pytest.approx(0)
    assert one.posterior["standard_errors"][1] == pytest.approx(2.0)


def test_a_choice_out_of_three_has_the_information_of_a_multinomial() -> None:
    choices = Choices(
        wins_PN=np.array([[1.0, 1.0, 1.0]]),
        members_RN=np.ones((1, 3), dtype=bool),
        prompts_R=np.array([0]),
        weights_R=np.array([3.0]),
    )
    fit = fit_choices(choices, prior_sd=1.0)
    # Three choices at p = 1/3 each: 3 (diag(p) - p pᵀ) = I - J/3, and the prior's I.
    assert fit.covariance_PNN[0] == pytest.approx(np.linalg.inv(2 * np.eye(3) - np.ones((3, 3)) / 3))
