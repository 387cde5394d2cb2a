from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from annotation.agreement import columns_of, columns_of_ranks
from annotation.quality import left_wins, longer_wins, longer_wins_baseline, sign_of_longer


def test_the_left_rate_counts_strict_preferences() -> None:
    # Bob: first better and left, second better and left, first better but right, a tie. Ann: only a tie.
    shares = left_wins(["bob", "bob", "bob", "bob", "ann"], [1, -2, 3, 0, 0], [True, False, False, True, True])
    assert (shares["bob"].value, shares["bob"].n) == pytest.approx((2 / 3, 3))
    expected = stats.binomtest(2, 3).proportion_ci(method="wilson")
    assert shares["bob"].interval == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert (shares["ann"].value, shares["ann"].reason) == (None, "no strict preference was given")


def test_the_longer_rate_leaves_out_replies_of_one_length() -> None:
    longer = sign_of_longer([10, 10, 7, 30], [5, 20, 7, 40])
    assert longer.tolist() == [1, -1, 0, -1]
    [bob] = longer_wins([4] * 4, [1, 1, 1, -1], longer).values()
    assert (bob.value, bob.n) == pytest.approx((2 / 3, 3))


def test_pairs_of_a_ranking_count_as_one_comparison_in_the_interval() -> None:
    clustered = left_wins([1] * 6, [1] * 6, [True] * 6, comparisons=[1, 1, 1, 2, 2, 2])[1]
    plain = left_wins([1] * 2, [1] * 2, [True] * 2)[1]
    assert clustered.interval == plain.interval


def test_the_baseline_by_hand() -> None:
    # a: 2 of 3 for the first, which is longer: right. b: both for the second, the first is longer: wrong.
    # c: tied, wrong. d: level between first (longer) and tied: half. e: same length, tied: right.
    rows = {"a": [1, 1, -1], "b": [-1, -1], "c": [0, 0], "d": [2, 0], "e": [0]}
    comparisons = [name for name, values in rows.items() for _ in values]
    values = [value for values in rows.values() for value in values]
    annotators = [number for values in rows.values() for number in range(len(values))]
    columns = columns_of(comparisons, annotators, values)
    baseline = longer_wins_baseline(columns, ["e", "d", "c", "b", "a"], [0, 1, 1, 1, 1])
    assert (baseline.agrees.value, baseline.agrees.n) == pytest.approx((2.5 / 5, 5))
    assert (baseline.agrees_without_ties.value, baseline.agrees_without_ties.n) == (0.5, 2)
    assert (baseline.longer_wins.value, baseline.longer_wins.n) == pytest.approx((3 / 6, 6))


def test_every_judged_comparison_needs_its_lengths() -> None:
    columns = columns_of([1, 2], [1, 1], [1, 1])
    for known in ([1], [], [1, 3]):
        with pytest.raises(ValueError, match="every judged comparison"):
            longer_wins_baseline(columns, known, [1] * len(known))


def test_a_baseline_without_judgments_says_so() -> None:
    baseline = longer_wins_baseline(columns_of([], [], []), [], [])
    assert baseline.agrees.reason == "nothing was judged"
    assert baseline.longer_wins.value is baseline.agrees_without_ties.value is None


def test_rankings_have_no_baseline() -> None:
    columns = columns_of_ranks([1], [1], np.array([[0.0, 1.0, 2.0]]))
    with pytest.raises(ValueError, match="pairwise comparisons"):
        longer_wins_baseline(columns, [1], [1])
