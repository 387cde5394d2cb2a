from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from annotation.agreement import Columns, cohen_kappa, columns_of, columns_of_ranks
from annotation.quality import agreement_with_consensus, agreement_with_gold, consensus_credits


def random_columns(seed: int, *, num_units: int = 150, num_annotators: int = 7) -> Columns:
    rng = np.random.default_rng(seed)
    truth, shape = rng.integers(-1, 2, size=(num_units, 1)), (num_units, num_annotators)
    given = np.where(rng.random(shape) < 0.6, truth, rng.integers(-1, 2, size=shape))
    units, annotators = np.nonzero(rng.random(shape) < 0.5)
    return columns_of(units + 100, annotators, given[units, annotators], domain=(-1, 0, 1))


def credits_in_a_loop(columns: Columns) -> dict[tuple[int, int], float]:
    """(unit, annotator) → 1 over the number of most frequent values of the others if one's own is among them."""
    rows = list(zip(columns.units_J.tolist(), columns.annotators_J.tolist(), columns.values_J.tolist(), strict=True))
    credits = {}
    for unit, annotator, value in rows:
        others = Counter(v for u, a, v in rows if u == unit and a != annotator)
        if others:
            modes = [v for v, count in others.items() if count == max(others.values())]
            credits[unit, annotator] = (value in modes) / len(modes)
    return credits


@pytest.mark.parametrize("seed", range(3))
def test_credits_equal_a_plain_loop(seed: int) -> None:
    columns = random_columns(seed)
    expected = credits_in_a_loop(columns)
    credits = consensus_credits(columns)
    units = np.searchsorted(columns.comparisons, credits.comparisons_J).tolist()
    assert dict(zip(zip(units, credits.annotators_J.tolist(), strict=True), credits.credits_J, strict=True)) == expected
    others = [
        np.mean([credit for (u, a), credit in expected.items() if u == unit and a != annotator])
        for unit, annotator in zip(units, credits.annotators_J.tolist(), strict=True)
    ]
    assert credits.others_J == pytest.approx(others)
    assert credits.relative() == pytest.approx((1 + credits.credits_J - credits.others_J) / 2)
    rows = agreement_with_consensus(columns)
    for row in rows:
        own = [credit for (_, annotator), credit in expected.items() if annotator == row.annotator]
        assert row.raw.value == pytest.approx(np.mean(own))
        assert row.raw.n == row.kappa.n == len(own)


def test_the_consensus_is_that_of_the_others_by_hand() -> None:
    # Unit 1: ann 1, bob 1, eve -1. Ann's others are level between 1 and -1: half; eve's say 1: none.
    # Unit 2: ann and bob say 0. Unit 3: ann alone.
    columns = columns_of([1, 1, 1, 2, 2, 3], ["ann", "bob", "eve", "ann", "bob", "ann"], [1, 1, -1, 0, 0, 1])
    ann, bob, eve = agreement_with_consensus(columns)
    assert (ann.annotator, ann.raw.value, ann.raw.n) == ("ann", 0.75, 2)
    assert (bob.raw.value, eve.raw.value) == (0.75, 0)
    assert eve.raw.interval is not None
    assert eve.raw.interval[1] == pytest.approx(0.793, abs=0.001)  # Wilson, 0 of 1


def test_with_one_other_annotator_kappa_is_cohens() -> None:
    rng = np.random.default_rng(2)
    first = rng.integers(-1, 2, size=300)
    second = np.where(rng.random(300) < 0.7, first, rng.integers(-1, 2, size=300))
    columns = columns_of(np.tile(np.arange(300), 2), np.repeat([1, 2], 300), np.concatenate([first, second]))
    expected = cohen_kappa(columns, 1, 2, num_resamples=4000)
    for row in agreement_with_consensus(columns):
        assert row.kappa.value == pytest.approx(expected.value)
        assert row.kappa.interval == pytest.approx(expected.interval, abs=0.015)


def test_who_guesses_has_a_kappa_near_zero_and_who_knows_one_far_above() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(-1, 2, size=(800, 1))
    values = np.where(rng.random((800, 4)) < 0.8, truth, rng.integers(-1, 2, size=(800, 4)))
    values[:, 3] = rng.integers(-1, 2, size=800)
    columns = columns_of(np.repeat(np.arange(800), 4), np.tile(np.arange(4), 800), values.ravel())
    *good, guesser = agreement_with_consensus(columns)
    low, high = guesser.kappa.interval or (1, 1)
    assert low < 0 < high < 0.15
    assert all(row.kappa.interval is not None and row.kappa.interval[0] > 0.4 for row in good)


def test_weights_give_credit_for_being_near() -> None:
    columns = columns_of([1, 1, 2, 2], [1, 2, 1, 2], [-2, 2, 1, 2], domain=(-2, -1, 0, 1, 2))
    [first, _] = agreement_with_consensus(columns, weighting="linear")
    assert first.raw.value == pytest.approx((0 + 0.75) / 2)


def test_pairs_of_one_ranking_widen_the_interval() -> None:
    ranks = np.tile([[0, 1, 2, 3], [0, 1, 3, 2]], (30, 1))
    columns = columns_of_ranks(np.repeat(np.arange(30), 2), np.tile([1, 2], 30), ranks)
    [row, _] = agreement_with_consensus(columns)
    assert (row.raw.value, row.raw.n) == pytest.approx((5 / 6, 180))
    of_thirty = agreement_with_gold([1] * 30, [1] * 30, [1] * 25 + [0] * 5)[0].raw
    assert row.raw.interval == pytest.approx(of_thirty.interval)


def test_who_shares_nothing_is_told_so() -> None:
    [row] = agreement_with_consensus(columns_of([1, 2], [5, 5], [0, 1]))
    assert (row.raw.value, row.kappa.value) == (None, None)
    assert row.raw.reason == row.kappa.reason == "nobody else judged the same"
    assert agreement_with_consensus(columns_of([], [], [])) == []


def test_agreement_with_gold_by_hand() -> None:
    # Ann: 3 of 4, her values (1, 1, 0, 0), gold (1, 1, 1, 0): chance 2/4 · 3/4 + 2/4 · 1/4 = 1/2, kappa 1/2.
    rows = agreement_with_gold(["ann"] * 4 + ["bob"], [1, 1, 0, 0, 1], [1, 1, 1, 0, 1])
    ann, bob = rows
    assert (ann.raw.value, ann.raw.n) == (0.75, 4)
    assert ann.kappa.value == pytest.approx(0.5)
    assert (bob.raw.value, bob.kappa.value) == (1, None)
    assert "the same value" in (bob.kappa.reason or "")


def test_gold_of_rankings_counts_comparisons() -> None:
    one = agreement_with_gold([1] * 6, [1] * 6, [1] * 6, comparisons=[1, 1, 1, 2, 2, 2])[0].raw
    two = agreement_with_gold([1] * 2, [1] * 2, [1] * 2)[0].raw
    assert one.interval == two.interval
    assert (one.n, two.n) == (6, 2)


def test_no_gold_gives_no_rows() -> None:
    assert agreement_with_gold([], [], []) == []
