from __future__ import annotations

import choix
import numpy as np
import pytest
from scipy.optimize import minimize

from annotation.aggregation.bradley_terry import (
    PairCounts,
    difference_variances,
    differences,
    fit_tie_parameter,
    fit_utilities,
)

WEAK = 1e4  # a prior so wide that the mode is the maximum of the likelihood


def counts_of(wins: list[list[float]], ties: list[list[float]] | None = None) -> PairCounts:
    wins_NN = np.array(wins, dtype=float)
    ties_NN = np.zeros_like(wins_NN) if ties is None else np.array(ties, dtype=float)
    num_NN = wins_NN + wins_NN.T + ties_NN
    return PairCounts(net_PNN=(wins_NN - wins_NN.T)[None], num_PNN=num_NN[None], ties_PNN=ties_NN[None])


def random_counts(seed: int, *, num: int = 6, num_ties: int = 0) -> PairCounts:
    rng = np.random.default_rng(seed)
    ties = np.triu(rng.integers(0, num_ties + 1, (num, num)), k=1)
    wins = rng.integers(1, 8, (num, num)) * (1 - np.eye(num))
    return counts_of(wins.tolist(), (ties + ties.T).tolist())


def log_posterior(utilities_N: np.ndarray, counts: PairCounts, prior_sd: float, tie_parameter: float) -> float:
    """By the definition, pair by pair."""
    total = -float((utilities_N**2).sum()) / (2 * prior_sd**2)
    for i in range(len(utilities_N)):
        for j in range(i + 1, len(utilities_N)):
            half = np.exp((utilities_N[i] - utilities_N[j]) / 2)
            whole = half + tie_parameter + 1 / half
            num_ties, net = counts.ties_PNN[0, i, j], counts.net_PNN[0, i, j]
            decided = counts.num_PNN[0, i, j] - num_ties
            total += (decided + net) / 2 * np.log(half / whole) + (decided - net) / 2 * np.log(1 / half / whole)
            total += num_ties * np.log(tie_parameter / whole) if num_ties else 0
    return float(total)


def test_two_items_differ_by_the_logit_of_the_wins() -> None:
    fit = fit_utilities(counts_of([[0, 3], [1, 0]]), prior_sd=WEAK)
    assert fit.utilities_PN[0] == pytest.approx([np.log(3) / 2, -np.log(3) / 2], abs=1e-6)


def test_a_tie_is_half_a_win_for_each() -> None:
    with_ties = fit_utilities(counts_of([[0, 3], [1, 0]], [[0, 2], [2, 0]]), prior_sd=WEAK)
    assert np.diff(with_ties.utilities_PN[0])[0] == pytest.approx(-np.log(4 / 2), abs=1e-6)


def test_the_variance_of_a_difference_is_the_inverse_of_prior_and_judgments() -> None:
    fit = fit_utilities(counts_of([[0, 2], [2, 0]]), prior_sd=1.0)
    # Prior variance 2; four judgments with p(1 - p) = 1/4 each: 1 / (1/2 + 4/4).
    assert difference_variances(fit.covariance_PNN)[0, 0, 1] == pytest.approx(1 / 1.5)


def test_without_votes_the_prior_is_left() -> None:
    fit = fit_utilities(counts_of([[0, 0], [0, 0]]), prior_sd=1.5)
    assert fit.utilities_PN.tolist() == [[0, 0]]
    assert fit.covariance_PNN[0] == pytest.approx(2.25 * np.eye(2))


@pytest.mark.parametrize("seed", range(3))
def test_a_weak_prior_gives_the_maximum_likelihood_of_choix(seed: int) -> None:
    counts = random_counts(seed)
    wins = ((counts.num_PNN + counts.net_PNN) / 2)[0]
    expected = choix.opt_pairwise(6, [(i, j) for i in range(6) for j in range(6) for _ in range(int(wins[i, j]))])
    fit = fit_utilities(counts, prior_sd=WEAK)
    assert fit.utilities_PN[0] == pytest.approx(expected - expected.mean(), abs=1e-4)


@pytest.mark.parametrize("tie_parameter", [0.3, 1.0, 4.0])
def test_the_mode_maximises_davidsons_posterior(tie_parameter: float) -> None:
    counts = random_counts(4, num_ties=5)
    found = minimize(lambda u: -log_posterior(u, counts, 1.2, tie_parameter), np.zeros(6), method="BFGS", tol=1e-8)
    fit = fit_utilities(counts, prior_sd=1.2, tie_parameter=tie_parameter)
    assert fit.utilities_PN[0] == pytest.approx(found.x, abs=1e-4)


def test_the_covariance_is_the_inverse_of_the_curvature() -> None:
    counts = random_counts(5, num_ties=5)
    fit = fit_utilities(counts, prior_sd=1.2, tie_parameter=1.5)
    mode, step = fit.utilities_PN[0], 1e-3
    shift = np.eye(6) * step

    def at(*moves: np.ndarray) -> float:
        return log_posterior(mode + sum(moves), counts, 1.2, 1.5)

    curvature = [[(at(a, b) - at(a, -b) - at(-a, b) + at(-a, -b)) / (4 * step**2) for b in shift] for a in shift]
    assert fit.covariance_PNN[0] == pytest.approx(np.linalg.inv(-np.array(curvature)), abs=1e-4)


def test_one_that_always_wins_stays_finite_and_the_prior_says_where() -> None:
    fit = fit_utilities(counts_of([[0, 50], [0, 0]]), prior_sd=2.0)
    gap = float(differences(fit.utilities_PN)[0, 0, 1])
    # The slope of the posterior vanishes: 50 (1 - σ(d)) = u / prior_sd², u = d / 2.
    assert 50 / (1 + np.exp(gap)) == pytest.approx(gap / 2 / 4)


def test_davidsons_parameter_of_equals_follows_from_the_share_of_ties() -> None:
    counts = counts_of([[0, 300], [300, 0]], [[0, 600], [600, 0]])
    # ν / (ν + 2) is the share of ties: (600 + 1/2) / (1200 + 1).
    assert fit_tie_parameter([counts]) == pytest.approx(2.0, abs=1e-6)


def test_davidsons_parameter_is_recovered_from_simulated_judgments() -> None:
    rng = np.random.default_rng(0)
    utilities, tie_parameter = rng.normal(0, 1.5, (300, 4)), 1.7
    net, num, ties = np.zeros((3, 300, 4, 4))
    for prompt in range(300):
        for i in range(4):
            for j in range(i):
                half = np.exp((utilities[prompt, i] - utilities[prompt, j]) / 2)
                chances = np.array([half, tie_parameter, 1 / half]) / (half + tie_parameter + 1 / half)
                won, tied, lost = rng.multinomial(8, chances)
                net[prompt, i, j], net[prompt, j, i] = won - lost, lost - won
                ties[prompt, i, j] = ties[prompt, j, i] = tied
                num[prompt, i, j] = num[prompt, j, i] = 8
    fitted = fit_tie_parameter([PairCounts(net_PNN=net, num_PNN=num, ties_PNN=ties)], prior_sd=1.5)
    assert fitted == pytest.approx(1.7, rel=0.08)


def test_davidsons_parameter_stays_finite_if_all_or_none_are_ties() -> None:
    all_ties = fit_tie_parameter([counts_of([[0, 0], [0, 0]], [[0, 9], [9, 0]])])
    no_ties = fit_tie_parameter([counts_of([[0, 5], [4, 0]])])
    assert 2 < all_ties < 100
    assert 0 < no_ties < 0.2
