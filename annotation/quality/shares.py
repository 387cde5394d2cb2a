"""Rates with Wilson's interval, for one annotator or for all of them at once.

Shapes: J judgments, A annotators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from annotation.agreement import coded, wilson
from annotation.agreement.columns import Column, Floats, Integers


@dataclass(frozen=True, kw_only=True)
class Share:
    """A rate or a coefficient. Where `value` is None, `reason` says why."""

    value: float | None
    interval: tuple[float, float] | None  # 95 %
    n: int  # what it is a share of
    reason: str | None = None


def share(successes: float, n: int, *, num_independent: float | None = None, nothing: str) -> Share:
    """successes / n with Wilson's interval; `nothing` is the reason if n is 0.

    `num_independent` is how many independent observations the n are worth (comparisons, where n counts the pairs of
    completions of a ranking): the interval is that of so many.
    """
    if not n:
        return Share(value=None, interval=None, n=0, reason=nothing)
    size = float(n if num_independent is None else num_independent)
    low, high = wilson(np.array(successes / n * size), np.array(size))
    return Share(value=successes / n, interval=(float(low), float(high)), n=n)


def shares_by(
    annotators: Column, successes_J: Floats, *, comparisons: Column | None = None, nothing: str = "nothing counts here"
) -> dict[Any, Share]:
    """The mean of `successes_J` (0 … 1, NaN where a judgment does not count) of each annotator, in rising order.

    `comparisons` names the comparison of each row where one judgment has several rows (pairs of a ranking): those of
    one comparison then count together as one for the interval.
    """
    known, codes_J = coded(annotators)
    is_counted_J = ~np.isnan(successes_J)
    weights_J = is_counted_J.astype(np.float64)
    counts_A = np.bincount(codes_J, weights=weights_J, minlength=len(known))
    sums_A = np.bincount(codes_J, weights=np.where(is_counted_J, successes_J, 0.0), minlength=len(known))
    independent_A = counts_A.astype(np.float64)
    if comparisons is not None:
        independent_A = num_comparisons(codes_J[is_counted_J], coded(comparisons)[1][is_counted_J], len(known))
    rows = zip(known.tolist(), sums_A, counts_A, independent_A, strict=True)
    return {
        annotator: share(float(successes), int(n), num_independent=float(independent), nothing=nothing)
        for annotator, successes, n, independent in rows
    }


def num_comparisons(annotators_J: Integers, comparisons_J: Integers, num_annotators: int) -> Floats:
    """How many different comparisons each annotator judged [A], from numbers of both that begin at 0."""
    size = int(comparisons_J.max(initial=0)) + 1
    annotators = np.unique(annotators_J * size + comparisons_J) // size
    return np.bincount(annotators, minlength=num_annotators).astype(np.float64)
