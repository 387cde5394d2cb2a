"""Change over time: agreement in windows, and a test for a change at an unknown moment.

The test is the CUSUM of a series' deviations from its mean, max |S_k| / (s √n), whose limit is the largest deviation of
a Brownian bridge, so that Kolmogorov's distribution gives its p-value. It finds a step best and needs no windows.

Source: E. S. Page, "A test for a change in a parameter occurring at an unknown point" (Biometrika 42, 1955);
M. Csörgő and L. Horváth, "Limit Theorems in Change-Point Analysis" (1997).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from annotation.agreement import coded
from annotation.agreement.columns import Column, Floats, Integers
from annotation.quality.shares import Share, share

WINDOW = 50  # judgments
FEWEST_FOR_TEST = 30
_NOTHING = "the window is empty"


@dataclass(frozen=True, kw_only=True)
class Window:
    """Consecutive judgments of one annotator."""

    first_at: Any  # as the times were given
    last_at: Any
    agreement: Share


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One annotator's agreement over time. Where `p_value` is None, `reason` says why."""

    annotator: Any
    windows: tuple[Window, ...]
    p_value: float | None  # of "the mean never changed", two-sided; small: it did
    changed_at: Any | None  # the first judgment after the likeliest change
    before: Share | None
    after: Share | None
    reason: str | None = None


def drift(annotators: Column, times: Column, credits: Column, *, window: int = WINDOW) -> list[Drift]:
    """Drift of each annotator, in rising order, from equally long columns in any order.

    `credits` are agreements of 0 … 1 with consensus or gold (`consensus_credits`), `times` anything that has an order.
    A last window shorter than half of `window` joins the one before. With many annotators some p-values are small by
    chance: multiply them by the number of annotators before an alarm.
    """
    if window < 1:
        raise ValueError(f"a window holds one judgment or more, got {window}")
    times_J, credits_J = np.asarray(times), np.asarray(credits, dtype=np.float64)
    return [
        _drift_of(annotator, times_J[own], credits_J[own], window)
        for annotator, own in judgments_in_order(annotators, times_J)
    ]


def judgments_in_order(annotators: Column, times: Column) -> Iterator[tuple[Any, Integers]]:
    """Each annotator with the places of the own judgments in the columns, rising in time."""
    known, codes_J = coded(annotators)
    order_J = np.lexsort((np.asarray(times), codes_J))
    ends = np.cumsum(np.bincount(codes_J, minlength=len(known)))
    yield from zip(known.tolist(), np.split(order_J, ends[:-1]) if len(known) else [], strict=True)


def _drift_of(annotator: Any, times: Any, credits: Floats, window: int) -> Drift:
    windows = tuple(_windows(times, credits, window))
    nothing = {"annotator": annotator, "windows": windows, "p_value": None, "changed_at": None}
    if len(credits) < FEWEST_FOR_TEST:
        reason = f"the test needs {FEWEST_FOR_TEST} judgments or more, there are {len(credits)}"
        return Drift(**nothing, before=None, after=None, reason=reason)
    if not np.ptp(credits):
        return Drift(**nothing, before=None, after=None, reason="all judgments agree to the same degree")
    sums = np.abs(np.cumsum(credits - credits.mean()))[:-1]
    change = int(np.argmax(sums)) + 1
    return Drift(
        annotator=annotator,
        windows=windows,
        p_value=_kolmogorov(float(sums[change - 1]) / (float(credits.std()) * math.sqrt(len(credits)))),
        changed_at=times[change],
        before=_mean(credits[:change]),
        after=_mean(credits[change:]),
    )


def _windows(times: Any, credits: Floats, window: int) -> Iterator[Window]:
    starts = list(range(0, len(credits), window))
    if len(starts) > 1 and len(credits) - starts[-1] < window / 2:
        starts.pop()
    for start, end in zip(starts, [*starts[1:], len(credits)], strict=True):
        yield Window(first_at=times[start], last_at=times[end - 1], agreement=_mean(credits[start:end]))


def _mean(credits: Floats) -> Share:
    return share(float(credits.sum()), len(credits), nothing=_NOTHING)


def _kolmogorov(largest: float) -> float:
    """P(a Brownian bridge deviates further) = 2 Σ (-1)^(k-1) exp(-2 k² largest²)."""
    if largest < 0.2:  # the series has 1 there to 12 digits, and converges slowly
        return 1.0
    terms = [2 * (-1) ** (k - 1) * math.exp(-2 * k**2 * largest**2) for k in range(1, 101)]
    return min(1.0, max(0.0, math.fsum(terms)))
