from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from annotation.agreement import kendall_tau_b, kendall_w, ranks_of_tiers


def random_ranks(seed: int, *, num_rankings: int = 4, num_completions: int = 6) -> np.ndarray[tuple[int, int]]:
    return np.random.default_rng(seed).integers(4, size=(num_rankings, num_completions)).astype(float)


@pytest.mark.parametrize("seed", range(8))
def test_w_with_ties_equals_friedmans_statistic_of_scipy(seed: int) -> None:
    ranks = random_ranks(seed)
    friedman = stats.friedmanchisquare(*ranks.T).statistic  # = M (K - 1) W
    assert kendall_w([7] * 4, ranks).value == pytest.approx(friedman / (4 * 5))


@pytest.mark.parametrize("seed", range(8))
def test_tau_b_with_ties_and_holes_equals_scipy(seed: int) -> None:
    ranks = random_ranks(seed)
    ranks[0, 0] = ranks[2, 3] = np.nan
    expected = []
    for one, other in combinations(ranks, 2):
        both = ~np.isnan(one + other)
        expected.append(stats.kendalltau(one[both], other[both]).statistic)
    assert kendall_tau_b([7] * 4, ranks).value == pytest.approx(np.nanmean(expected))


def test_w_counts_the_completions_that_everybody_ranked() -> None:
    ranks = random_ranks(3)
    ranks[1, 2] = np.nan
    assert kendall_w([0] * 4, ranks).value == pytest.approx(kendall_w([0] * 4, np.delete(ranks, 2, axis=1)).value)


def test_w_by_hand() -> None:
    # Three rankings of three: rank sums 4, 5, 9 with mean 6, S = 4 + 1 + 9 = 14, W = 12 · 14 / (9 · 24) = 7/9.
    ranks = ranks_of_tiers([[[0], [1], [2]], [[1], [0], [2]], [[0], [1], [2]]], 3)
    assert kendall_w([0, 0, 0], ranks).value == pytest.approx(7 / 9)


def test_tau_b_by_hand() -> None:
    # [0] [1] [2] and [0, 1] [2]: two concordant pairs, none discordant, 3 and 2 untied pairs: 2 / sqrt 6.
    ranks = ranks_of_tiers([[[0], [1], [2]], [[0, 1], [2]]], 3)
    assert kendall_tau_b([0, 0], ranks).value == pytest.approx(2 / np.sqrt(6))


def test_the_mean_is_over_comparisons_however_many_annotators_each_has() -> None:
    same, turned = [[0], [1]], [[1], [0]]
    ranks = ranks_of_tiers([same, same, same, same, same, turned], 2)
    result = kendall_tau_b(["a", "a", "a", "a", "b", "b"], ranks)
    assert (result.value, result.n, result.num_judgments) == (0, 2, 6)
    assert result.interval == (-1, 1)
    assert kendall_w(["a", "a", "a", "a", "b", "b"], ranks).value == 0.5


def test_the_order_of_the_rows_does_not_matter() -> None:
    ranks, comparisons = random_ranks(5, num_rankings=30), np.repeat(np.arange(10), 3)
    order = np.random.default_rng(0).permutation(30)
    for coefficient in (kendall_w, kendall_tau_b):
        shuffled, sorted_ = coefficient(comparisons[order], ranks[order]), coefficient(comparisons, ranks)
        assert shuffled.value == pytest.approx(sorted_.value)
        assert shuffled.interval == pytest.approx(sorted_.interval)


def test_rankings_in_which_everything_is_tied_have_no_coefficient() -> None:
    for function in (kendall_w, kendall_tau_b):
        result = function([1, 1], np.zeros((2, 3)))
        assert (result.value, result.interval) == (None, None)
        assert "in an order" in (result.reason or "")
        assert function([1, 2], np.zeros((2, 3))).reason == "nothing was judged twice"


def test_one_comparison_has_no_interval() -> None:
    result = kendall_w([1, 1], np.array([[0.0, 1], [0, 1]]))
    assert (result.value, result.interval) == (1, None)
    assert "two comparisons" in (result.reason or "")


def test_ranks_need_a_row_for_each_ranking() -> None:
    with pytest.raises(ValueError, match="one row of ranks for each of 2"):
        kendall_w([1, 1], np.zeros((3, 2)))
