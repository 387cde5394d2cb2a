"""Time and skips of each annotator.

Source of the median's interval: order statistics whose ranks follow from the binomial distribution, W. J. Conover,
"Practical Nonparametric Statistics" (3rd edition, 1999), section 3.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from annotation.agreement import CONFIDENCE, coded
from annotation.agreement.columns import Column, Floats
from annotation.quality.shares import Share, share

FEWEST_FOR_INTERVAL = 6  # with five values even the whole range holds the median in less than 95 %


@dataclass(frozen=True, kw_only=True)
class Median:
    """A median in seconds. Where `value` or `interval` is None, `reason` says why."""

    value: float | None
    interval: tuple[float, float] | None  # 95 % or more, of the median
    n: int
    reason: str | None = None


def median_seconds(annotators: Column, milliseconds: Column) -> dict[Any, Median]:
    """The median time of each annotator, in rising order; times of 0 (or NaN) were not measured and do not count."""
    known, codes_J = coded(annotators)
    times_J = np.asarray(milliseconds, dtype=np.float64) / 1000
    order_J = np.argsort(codes_J, kind="stable")
    ends = np.cumsum(np.bincount(codes_J, minlength=len(known)))
    times = np.split(times_J[order_J], ends[:-1]) if len(known) else []
    return {annotator: _median(own[own > 0]) for annotator, own in zip(known.tolist(), times, strict=True)}


def skip_rates(judged_by: Column, skipped_by: Column) -> dict[Any, Share]:
    """Skips over skips and judgments, from the annotator of each judgment and of each skip, in rising order."""
    known, codes = coded(np.concatenate([np.asarray(judged_by), np.asarray(skipped_by)]))
    totals = np.bincount(codes, minlength=len(known))
    skips = np.bincount(codes[len(judged_by) :], minlength=len(known))
    rows = zip(known.tolist(), skips.tolist(), totals.tolist(), strict=True)
    return {annotator: share(num, total, nothing="nothing was asked") for annotator, num, total in rows}


def _median(times: Floats) -> Median:
    n = len(times)
    if not n:
        return Median(value=None, interval=None, n=0, reason="no time was measured")
    value = float(np.median(times))
    if n < FEWEST_FOR_INTERVAL:
        reason = f"an interval needs {FEWEST_FOR_INTERVAL} times or more"
        return Median(value=value, interval=None, n=n, reason=reason)
    margin = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(n)
    low, high = max(0, math.floor((n - margin) / 2) - 1), min(n - 1, math.ceil((n + margin) / 2))
    ordered = np.partition(times, [low, high])
    return Median(value=value, interval=(float(ordered[low]), float(ordered[high])), n=n)
