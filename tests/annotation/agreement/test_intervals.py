from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from annotation.agreement import wilson


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (620, 1000)])
def test_wilsons_interval_equals_scipy(successes: int, n: int) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    low, high = wilson(np.array(float(successes)), np.array(float(n)))
    assert (float(low), float(high)) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_without_trials_anything_is_possible() -> None:
    low, high = wilson(np.array([0.0]), np.array([0.0]))
    assert (low.tolist(), high.tolist()) == ([0.0], [1.0])
