"""Coefficients with intervals: a statistic of summed rows, resampled by whole comparisons; and Wilson's for shares.

Whatever a coefficient needs is a sum over comparisons of a row of D numbers. A resample draws comparisons with
replacement, so that its sums are a weighted sum of the different rows: one multinomial draw, whatever their number.
Where nearly all rows differ and there are very many, the sums are drawn from the normal distribution with the mean and
covariance of the bootstrap's sums, to which they converge.

Shapes: U units, K kinds of units, G comparisons, D numbers of a row, B resamples.

Sources: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13 (percentile interval);
E. B. Wilson, "Probable Inference" (JASA 22, 1927).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from annotation.agreement.columns import Floats, Integers

NUM_RESAMPLES = 1000
CONFIDENCE = 0.95
NOTHING_TWICE = "nothing was judged twice"
ONE_VALUE = "all judgments are the same value: chance would agree as well"
ONE_COMPARISON = "an interval needs two comparisons or more"

_CHUNK_CELLS = 4_000_000  # resampled indices held at a time
_MANY_DISTINCT = 2_000  # from here on drawing indices is faster than drawing counts
_MANY_COMPARISONS = 10_000  # different ones: from here on sums are drawn from their normal limit

Statistic = Callable[[Floats], Floats]  # sums [B, D] → coefficients [B], NaN where undefined


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One coefficient. Where `value` or `interval` is None, `reason` says why."""

    value: float | None  # at most 1; chance-corrected ones can be negative
    interval: tuple[float, float] | None  # 95 %, over comparisons
    n: int  # comparisons with two judgments of something or more; only these count
    num_judgments: int  # values in them
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The different rows of the comparisons, and how many comparisons have each."""

    rows_KD: Floats
    frequency_K: Integers

    @property
    def n(self) -> int:
        """G."""
        return int(self.frequency_K.sum())


def rows_by_comparison(rows_KD: Floats, kind_U: Integers, groups_U: Integers) -> Rows:
    """The row of each comparison: the sum over its units, each of which has the row of its kind."""
    sizes_G = np.bincount(groups_U)
    if sizes_G.max(initial=0) <= 1:
        return Rows(rows_KD=rows_KD, frequency_K=np.bincount(kind_U, minlength=len(rows_KD)))
    columns = [np.bincount(groups_U, weights=column[kind_U])[sizes_G > 0] for column in rows_KD.T]
    return Rows(rows_KD=np.stack(columns, axis=1), frequency_K=np.ones(len(columns[0]), dtype=np.int64))


def estimate(
    statistic: Statistic,
    rows: Rows,
    *,
    n: int,
    num_judgments: int,
    num_resamples: int,
    seed: int,
    undefined: str = ONE_VALUE,
) -> Agreement:
    """The statistic of the summed rows with its percentile interval; `undefined` says why it can be NaN."""
    if not n:
        return Agreement(value=None, interval=None, n=0, num_judgments=0, reason=NOTHING_TWICE)
    value = float(statistic(rows.frequency_K[None] @ rows.rows_KD)[0])
    if np.isnan(value):
        return Agreement(value=None, interval=None, n=n, num_judgments=num_judgments, reason=undefined)
    if n < 2:
        return Agreement(value=value, interval=None, n=n, num_judgments=num_judgments, reason=ONE_COMPARISON)
    resampled_B = statistic(resampled_sums(rows, num_resamples, np.random.default_rng(seed)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(np.append(resampled_B, value), [tail, 1 - tail])
    return Agreement(value=value, interval=(float(low), float(high)), n=n, num_judgments=num_judgments)


def resampled_sums(rows: Rows, num_resamples: int, rng: np.random.Generator) -> Floats:
    """Sums [B, D] over comparisons drawn with replacement, as many as there are."""
    if len(rows.rows_KD) < _MANY_DISTINCT:
        counts_BK = rng.multinomial(rows.n, rows.frequency_K / rows.n, size=num_resamples)
        return np.asarray(counts_BK @ rows.rows_KD)
    if len(rows.rows_KD) >= _MANY_COMPARISONS:
        return _normal_sums(rows, num_resamples, rng)
    kind_G = np.repeat(np.arange(len(rows.rows_KD)), rows.frequency_K)
    size = max(1, _CHUNK_CELLS // rows.n)
    sums = []
    for start in range(0, num_resamples, size):
        drawn_BG = kind_G[rng.integers(rows.n, size=(min(size, num_resamples - start), rows.n))]
        weights = np.stack([np.bincount(drawn_G, minlength=len(rows.rows_KD)) for drawn_G in drawn_BG])
        sums.append(weights @ rows.rows_KD)
    return np.concatenate(sums)


def wilson(successes: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Low and high ends of Wilson's 95 % interval of successes / n, elementwise; 0 and 1 where n is 0.

    Successes may be fractions, and `n` may be smaller than the number of trials where these depend on each other.
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    successes, n = np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64)
    spread = z * np.sqrt(successes * (n - successes) / np.maximum(n, 1e-9) + z**2 / 4)
    middle = successes + z**2 / 2
    return np.clip((middle - spread) / (n + z**2), 0, 1), np.clip((middle + spread) / (n + z**2), 0, 1)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Their quotient, not a number where the denominator is 0."""
    undefined = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    return np.asarray(np.divide(numerator, denominator, out=undefined, where=denominator > 0))


def _normal_sums(rows: Rows, num_resamples: int, rng: np.random.Generator) -> Floats:
    """Sums with the mean and covariance that drawing comparisons with replacement has."""
    total_D = rows.frequency_K @ rows.rows_KD
    centred_KD = rows.rows_KD - total_D / rows.n
    covariance_DD = (centred_KD * rows.frequency_K[:, None]).T @ centred_KD
    variances_D, axes_DD = np.linalg.eigh(covariance_DD)
    drawn_BD = rng.standard_normal((num_resamples, len(total_D))) * np.sqrt(np.maximum(variances_D, 0))
    return np.asarray(total_D + drawn_BD @ axes_DD.T)
