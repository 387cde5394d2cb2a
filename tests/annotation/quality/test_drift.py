from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from annotation.quality import drift
from annotation.quality.drift import _kolmogorov


def test_a_step_is_found_where_it_is() -> None:
    rng = np.random.default_rng(0)
    credits = np.concatenate([rng.random(200) < 0.85, rng.random(100) < 0.4]).astype(float)
    [found] = drift([7] * 300, np.arange(1000, 1300), credits)
    assert found.p_value is not None
    assert found.p_value < 1e-6
    assert found.changed_at is not None
    assert abs(found.changed_at - 1200) < 10
    assert found.before is not None
    assert found.after is not None
    assert found.before.value == pytest.approx(credits[: found.changed_at - 1000].mean())
    assert found.after.value == pytest.approx(credits[found.changed_at - 1000 :].mean())


def test_without_a_change_small_p_values_are_as_rare_as_they_say() -> None:
    rng = np.random.default_rng(1)
    annotators = np.repeat(np.arange(400), 120)
    tests = drift(annotators, np.arange(len(annotators)), (rng.random(len(annotators)) < 0.7).astype(float))
    small = np.mean([test.p_value is not None and test.p_value < 0.05 for test in tests])
    assert 0.01 < small < 0.06  # the limit is approached from below


def test_windows_cut_the_series_in_order_of_time() -> None:
    times = np.array([5, 1, 3, 2, 4, 6, 7])
    credits = np.array([0, 1, 1, 1, 1, 0, 0.5])
    [row] = drift(["a"] * 7, times, credits, window=3)
    assert [(window.first_at, window.last_at) for window in row.windows] == [(1, 3), (4, 7)]
    assert [window.agreement.value for window in row.windows] == [1, 0.375]  # the last one alone joins the one before
    assert (row.p_value, row.changed_at) == (None, None)
    assert "30 judgments or more, there are 7" in (row.reason or "")


def test_a_constant_series_has_no_test() -> None:
    [row] = drift([1] * 40, range(40), [1.0] * 40)
    assert row.p_value is None
    assert "the same degree" in (row.reason or "")
    assert drift([], [], []) == []


@pytest.mark.parametrize("largest", [0.0, 0.1, 0.3, 0.8, 1.36, 3.0])
def test_the_limit_is_kolmogorovs(largest: float) -> None:
    assert _kolmogorov(largest) == pytest.approx(special.kolmogorov(largest), abs=1e-9)


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="one judgment or more"):
        drift([1], [1], [1.0], window=0)
