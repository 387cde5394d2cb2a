from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from annotation.quality import median_seconds, skip_rates


def test_medians_are_in_seconds_and_of_measured_times() -> None:
    medians = median_seconds([2, 1, 2, 2, 3], [1000, 500, 3000, 0, 0])
    assert (medians[2].value, medians[2].n) == (2.0, 2)
    assert (medians[1].value, medians[1].interval) == (0.5, None)
    assert "6 times" in (medians[1].reason or "")
    assert (medians[3].value, medians[3].reason) == (None, "no time was measured")
    assert list(medians) == [1, 2, 3]
    assert median_seconds([], []) == {}


@pytest.mark.parametrize("n", [6, 9, 10, 25, 100])
def test_the_interval_of_a_median_covers_95_percent(n: int) -> None:
    # The order statistics i and j hold the median with P(i <= Binomial(n, 1/2) < j), ranks from 1.
    interval = median_seconds([1] * n, [1000 * (rank + 1) for rank in range(n)])[1].interval
    assert interval is not None
    low, high = (round(end) for end in interval)
    covered = stats.binom.cdf(high - 1, n, 0.5) - stats.binom.cdf(low - 1, n, 0.5)
    assert covered >= 0.95
    assert high - low <= 2 * (math.sqrt(n) + 2)


def test_the_order_of_times_does_not_matter() -> None:
    times = np.random.default_rng(0).integers(1, 90_000, size=500)
    annotators = np.arange(500) % 3
    order = np.random.default_rng(1).permutation(500)
    assert median_seconds(annotators, times) == median_seconds(annotators[order], times[order])


def test_skips_are_counted_over_everything_that_was_asked() -> None:
    rates = skip_rates(["ann", "ann", "ann", "bob"], ["ann", "eve"])
    assert (rates["ann"].value, rates["ann"].n) == (0.25, 4)
    assert (rates["bob"].value, rates["eve"].value) == (0, 1)
    assert skip_rates([], []) == {}
