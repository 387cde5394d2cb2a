"""How long replies are: quantiles, and a histogram whose bins people can read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_BINS = 24


@dataclass(frozen=True, kw_only=True)
class LengthStatistics:
    """Of some lengths, in whatever unit they have."""

    num: int
    shortest: int
    median: float
    mean: float
    percentile_90: float
    longest: int


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Counts of several series over the same bins: bin i is from i · width to below (i + 1) · width."""

    width: int
    counts: Mapping[str, list[int]]


def statistics_of(lengths: Sequence[int]) -> LengthStatistics | None:
    """None for no lengths. Quantiles are interpolated linearly."""
    if not lengths:
        return None
    ordered = sorted(lengths)
    return LengthStatistics(
        num=len(ordered),
        shortest=ordered[0],
        median=_quantile(ordered, 0.5),
        mean=sum(ordered) / len(ordered),
        percentile_90=_quantile(ordered, 0.9),
        longest=ordered[-1],
    )


def histogram_of(series: Mapping[str, Sequence[int]], max_bins: int = MAX_BINS) -> Histogram:
    """Bins whose width is 1, 2 or 5 times a power of ten."""
    longest = max((length for lengths in series.values() for length in lengths), default=0)
    width = _round_width((longest + 1) / max_bins)
    num_bins = longest // width + 1
    counts = {name: [0] * num_bins for name in series}
    for name, lengths in series.items():
        for length in lengths:
            counts[name][length // width] += 1
    return Histogram(width=width, counts=counts)


def _quantile(ordered: Sequence[int], share: float) -> float:
    place = share * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def _round_width(wanted: float) -> int:
    power = 10 ** math.floor(math.log10(wanted)) if wanted > 1 else 1
    return next(int(step * power) for step in (1, 2, 5, 10) if step * power >= wanted)
