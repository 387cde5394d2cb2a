from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from annotation.aggregation.newton import Posterior
from annotation.scheduling import (
    count_votes,
    is_settled,
    known_probability,
    score_comparison,
    score_pairs,
    value_of_asking,
)

FIRST, SECOND, TIE = [[0], [1]], [[1], [0]], [[0, 1]]


def judged(*completions: str, tiers: list[list[int]], **rest: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return completions, {"tiers": tiers, **rest}


def test_votes_of_pairs_are_counted_for_both_sides() -> None:
    votes = count_votes(
        ["a", "b"],
        [
            judged("a", "b", tiers=FIRST),
            judged("b", "a", tiers=SECOND),
            judged("a", "b", tiers=SECOND),
            judged("a", "b", tiers=TIE),
        ],
    )
    assert votes.num_NN.tolist() == [[0, 4], [4, 0]]
    assert votes.net_NN.tolist() == [[0, 1], [-1, 0]]


def test_a_ranking_of_three_counts_as_two_votes() -> None:
    votes = count_votes(["a", "b", "c"], [judged("a", "b", "c", tiers=[[2], [0, 1]])])
    assert votes.num_NN.sum() / 2 == pytest.approx(2)
    assert votes.net_NN[2].tolist() == pytest.approx([2 / 3, 2 / 3, 0])


def test_nothing_is_counted_for_a_tray_and_losses_for_what_stands_outside_a_top_k() -> None:
    tray = count_votes(["a", "b", "c"], [judged("a", "b", "c", tiers=[[0], [1]], unranked=[2])])
    assert tray.num_NN.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    answer = {"unranked": [1, 2], "unranked_is_worse": True}
    top = count_votes(["a", "b", "c"], [judged("a", "b", "c", tiers=[[0]], **answer)])
    assert top.num_NN[1, 2] == 0
    assert top.net_NN[0, 1] == top.net_NN[0, 2] > 0


def test_no_opinions_and_strangers_are_passed_over() -> None:
    no_opinion = (("a", "b"), {"cant_judge": True})
    votes = count_votes(["a", "b"], [no_opinion, judged("a", "z", tiers=FIRST)])
    assert not votes.num_NN.any()


def test_without_votes_every_pair_is_worth_the_same() -> None:
    scores = score_pairs(count_votes(["a", "b", "c"], []))
    assert list(scores) == [("a", "b"), ("a", "c"), ("b", "c")]
    # d has variance 2 · prior_sd² = 8 and p(1 - p) = 1/4: half a chance of being wrong, times ½ ln(1 + 8/4).
    assert list(scores.values()) == pytest.approx([0.5 * 0.5 * np.log(3)] * 3)


def test_a_pair_that_was_asked_is_worth_less_than_the_ones_that_were_not() -> None:
    scores = score_pairs(count_votes(["a", "b", "c"], [judged("a", "b", tiers=FIRST)]))
    assert scores["a", "b"] < scores["a", "c"]
    assert scores["a", "c"] == pytest.approx(scores["b", "c"])


def test_what_follows_from_other_pairs_is_worth_less_than_close_neighbours() -> None:
    chain = [judged("a", "b", tiers=FIRST)] * 3 + [judged("b", "c", tiers=FIRST)] * 3
    scores = score_pairs(count_votes(["a", "b", "c"], chain))
    assert scores["a", "c"] < scores["a", "b"]


def test_the_value_of_asking_falls_with_the_distance_and_rises_with_the_variance() -> None:
    gaps, variances = np.array([0.0, 1.0, 3.0]), np.ones(3)
    assert np.all(np.diff(value_of_asking(gaps, variances)) < 0)
    assert np.all(np.diff(value_of_asking(np.ones(3), np.array([0.5, 1.0, 4.0]))) > 0)


def test_a_comparison_of_several_has_the_mean_of_its_pairs() -> None:
    scores = {("a", "b"): 0.3, ("a", "c"): 0.2, ("b", "c"): 0.1}
    assert score_comparison(scores, ["c", "a"]) == 0.2
    assert score_comparison(scores, ["a", "b", "c"]) == pytest.approx(0.2)
    assert score_comparison(scores, ["a", "z"]) == 0


def test_two_completions_are_settled_when_the_normal_posterior_says_so() -> None:
    votes = count_votes(["a", "b"], [judged("a", "b", tiers=FIRST)] * 6)
    # By hand, with x = d/2 = u_a: the mode solves 6 σ(-2x) = x / prior_sd², here with prior_sd = 2.
    x = 1.5
    for _ in range(200):
        x = 0.5 * x + 0.5 * 4 * 6 / (1 + np.exp(2 * x))
    p = 1 / (1 + np.exp(-2 * x))
    # Information about d along (1, -1)/2: 6 p (1 - p) from the votes, and 1/8 from the prior variance of 8.
    variance = 1 / (6 * p * (1 - p) + 1 / 8)
    probability = float(norm.cdf(2 * x / np.sqrt(variance)))
    assert is_settled(votes, probability - 1e-6)
    assert not is_settled(votes, probability + 1e-6)


def test_the_top_is_settled_before_the_order_is() -> None:
    votes = count_votes(["a", "b", "c"], [judged("a", "b", tiers=FIRST), judged("a", "c", tiers=FIRST)] * 20)
    assert is_settled(votes, 0.95, scope="top")
    assert not is_settled(votes, 0.95, scope="order")


def test_most_pairs_are_known_before_the_whole_order_is() -> None:
    rng = np.random.default_rng(0)
    names = list("abcdef")
    votes = [judged(*sorted(rng.choice(names, 2, replace=False).tolist()), tiers=FIRST) for _ in range(40)]
    counted = count_votes(names, votes)
    assert is_settled(counted, 0.9, scope="pairs")
    assert not is_settled(counted, 0.9, scope="order")


def test_the_scopes_ask_for_the_mean_or_the_least_of_the_probabilities() -> None:
    posterior = Posterior(utilities_PN=np.array([[0.0, 1.0, -1.0]]), covariance_PNN=np.eye(3)[None] / 2)
    # The order is 1, 0, 2; each difference has variance 1: Φ(1) between neighbours, Φ(2) between the ends.
    one, two = float(norm.cdf(1)), float(norm.cdf(2))
    assert known_probability(posterior, scope="pairs") == pytest.approx([(2 * one + two) / 3])
    assert known_probability(posterior, scope="order") == pytest.approx([one])
    assert known_probability(posterior, scope="top") == pytest.approx([one])


def test_nothing_is_settled_without_votes_and_one_completion_always_is() -> None:
    assert not is_settled(count_votes(["a", "b"], []), 0.51)
    assert is_settled(count_votes(["a"], []), 0.99)


@pytest.mark.parametrize("seed", range(3))
def test_scores_do_not_depend_on_the_order_of_completions_and_votes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = np.array(list("abcde"))
    votes = [judged(*rng.choice(names, 2, replace=False).tolist(), tiers=FIRST) for _ in range(30)]
    scores = score_pairs(count_votes(names.tolist(), votes))
    mirrored = score_pairs(count_votes(names[::-1].tolist(), votes[::-1]))
    assert {frozenset(pair): pytest.approx(score) for pair, score in scores.items()} == {
        frozenset(pair): score for pair, score in mirrored.items()
    }
