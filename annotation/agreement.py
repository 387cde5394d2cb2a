"""How far annotators agree, from counts: raw agreement of pairs and Krippendorff's alpha, with missing judgments.

Everything starts from value counts: `counts_UV[u, v]` is how many annotators gave unit u the value v. A unit is what
gets one value: a pairwise comparison, or one pair of completions of a ranking. `groups_U` names the comparison of each
unit, because intervals come from resampling whole comparisons.

Shapes: U units, V values, G groups (comparisons), D numbers of a statistic, B resamples.

Source: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011); annotators are interchangeable there, so
that counts are all it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Level = Literal["nominal", "ordinal", "interval"]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NUM_RESAMPLES = 1000
CONFIDENCE = 0.95
FIRST_WORSE, TIED, FIRST_BETTER = -1, 0, 1  # the values of a pair of completions

_CHUNK_CELLS = 4_000_000  # resampled indices held at a time
_MANY_DISTINCT = 2_000  # from here on drawing indices is faster than drawing counts


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One coefficient. Where `value` or `interval` is None, `reason` says why."""

    value: float | None  # at most 1; alpha can be negative
    interval: tuple[float, float] | None  # 95 %, percentile bootstrap over comparisons
    n: int  # comparisons with two judgments of something or more; only these count
    num_judgments: int  # values in them
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class ValueCounts:
    """Judgments as counts."""

    counts_UV: Integers
    values: tuple[Any, ...]  # V, rising: what the columns stand for
    groups_U: Integers  # the comparison of each unit, numbered from 0


def count_values(units: Sequence[Hashable] | NDArray[Any], values: Sequence[Any] | NDArray[Any]) -> ValueCounts:
    """Counts of judgments given as two equally long columns: the unit that was judged and the value it got."""
    if len(units) != len(values):
        raise ValueError(f"one value for each unit: got {len(units)} units and {len(values)} values")
    known_units, unit_of = np.unique(_column(units), return_inverse=True)
    known_values, value_of = np.unique(_column(values), return_inverse=True)
    shape = (len(known_units), len(known_values))
    flat = np.bincount(unit_of * shape[1] + value_of, minlength=shape[0] * shape[1])
    return ValueCounts(
        counts_UV=flat.reshape(shape).astype(np.int64),
        values=tuple(known_values.tolist()),
        groups_U=np.arange(shape[0]),
    )


def count_pairs(judgments: Iterable[tuple[Hashable, Sequence[Sequence[int]]]]) -> ValueCounts:
    """Counts of judgments given as (comparison, tiers): each pair of completions is a unit of its comparison.

    Its value is FIRST_BETTER, TIED or FIRST_WORSE for the completion with the lower index.
    """
    rows: dict[tuple[Hashable, int, int], list[int]] = {}
    groups: dict[Hashable, int] = {}
    for comparison, tiers in judgments:
        groups.setdefault(comparison, len(groups))
        tier_of = {index: place for place, tier in enumerate(tiers) for index in tier}
        for first, second in combinations(sorted(tier_of), 2):
            row = rows.setdefault((comparison, first, second), [0, 0, 0])
            row[1 + int(np.sign(tier_of[second] - tier_of[first]))] += 1
    return ValueCounts(
        counts_UV=np.array(list(rows.values()), dtype=np.int64).reshape(-1, 3),
        values=(FIRST_WORSE, TIED, FIRST_BETTER),
        groups_U=np.array([groups[comparison] for comparison, _, _ in rows], dtype=np.int64),
    )


def raw_agreement(data: ValueCounts, *, num_resamples: int = NUM_RESAMPLES, seed: int = 0) -> Agreement:
    """The share of all pairs of judgments of one unit that are equal."""
    counts_UV, groups_U = _pairable(data)
    totals_U = counts_UV.sum(axis=1)
    equal_U = (counts_UV * (counts_UV - 1)).sum(axis=1)
    statistics_UD = np.stack([equal_U, totals_U * (totals_U - 1)], axis=1).astype(np.float64)

    def share(sums_BD: Floats) -> Floats:
        return _ratio(sums_BD[:, 0], sums_BD[:, 1])

    return _estimate(share, statistics_UD, groups_U, int(totals_U.sum()), num_resamples=num_resamples, seed=seed)


def krippendorff_alpha(
    data: ValueCounts, *, level: Level, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> Agreement:
    """1 - observed over expected disagreement: 1 is perfect, 0 is chance. Undefined if only one value occurs.

    `level` says how far apart two values are: "nominal" equal or not, "ordinal" by how many judgments lie between
    them, "interval" by their squared difference, for which the values must be numbers.
    """
    counts_UV, groups_U = _pairable(data)
    distances_VV = _fixed_distances(level, data.values)
    num_values = counts_UV.shape[1]

    def alpha(sums_BD: Floats) -> Floats:
        return _alpha(sums_BD.reshape(-1, num_values, num_values), distances_VV)

    statistics_UD = _coincidences(counts_UV).reshape(len(counts_UV), num_values**2)
    num_judgments = int(counts_UV.sum())
    return _estimate(alpha, statistics_UD, groups_U, num_judgments, num_resamples=num_resamples, seed=seed)


def _column(cells: Sequence[Any] | NDArray[Any]) -> NDArray[Any]:
    """One-dimensional, whatever the cells are: tuples stay cells."""
    if isinstance(cells, np.ndarray) or not any(isinstance(cell, tuple) for cell in cells):
        return np.asarray(cells)
    numbers = {cell: number for number, cell in enumerate(sorted(set(cells)))}
    return np.array([numbers[cell] for cell in cells])


def _pairable(data: ValueCounts) -> tuple[Integers, Integers]:
    """Units with two judgments or more: a lone one agrees with nobody."""
    is_kept_U = data.counts_UV.sum(axis=1) >= 2
    return data.counts_UV[is_kept_U], data.groups_U[is_kept_U]


def _coincidences(counts_UV: Integers) -> Floats:
    """How often each value meets each other one in a unit [U, V, V], each judgment counting once (Krippendorff, 2)."""
    counts_UV = counts_UV.astype(np.float64)
    totals_U = counts_UV.sum(axis=1)
    products_UVV = counts_UV[:, :, None] * counts_UV[:, None, :]
    diagonal = np.arange(counts_UV.shape[1])
    products_UVV[:, diagonal, diagonal] -= counts_UV
    return np.asarray(products_UVV / (totals_U - 1)[:, None, None])


def _alpha(coincidences_BVV: Floats, distances_VV: Floats | None) -> Floats:
    """Alpha of each coincidence matrix [B], not a number where the expected disagreement is 0 (Krippendorff, 4)."""
    totals_BV = coincidences_BVV.sum(axis=2)
    distances = _ordinal_distances(totals_BV) if distances_VV is None else distances_VV
    n_B = totals_BV.sum(axis=1)
    observed_B = (coincidences_BVV * distances).sum(axis=(1, 2))
    expected_B = (totals_BV[:, :, None] * totals_BV[:, None, :] * distances).sum(axis=(1, 2))
    return np.asarray(1 - (n_B - 1) * _ratio(observed_B, expected_B))


def _fixed_distances(level: Level, values: Sequence[Any]) -> Floats | None:
    """Squared distances [V, V]; None for ordinal values, whose distances depend on how often each occurs."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "interval":
        numbers = np.array([float(value) for value in values])
        return np.asarray((numbers[:, None] - numbers[None, :]) ** 2)
    if level == "ordinal":
        return None
    raise ValueError(f"level must be nominal, ordinal or interval, got {level!r}")


def _ordinal_distances(totals_BV: Floats) -> Floats:
    """(judgments from value c to value k, their own counted half) squared [B, V, V]."""
    middles_BV = totals_BV.cumsum(axis=1) - totals_BV / 2
    return np.asarray((middles_BV[:, :, None] - middles_BV[:, None, :]) ** 2)


def _estimate(
    statistic: Callable[[Floats], Floats],
    statistics_UD: Floats,
    groups_U: Integers,
    num_judgments: int,
    *,
    num_resamples: int,
    seed: int,
) -> Agreement:
    """The statistic of the summed numbers, with its interval over groups. Sums over units are all that it may need."""
    if not len(groups_U):
        return Agreement(value=None, interval=None, n=0, num_judgments=0, reason="nothing was judged twice")
    sums_GD = _sum_by_group(statistics_UD, groups_U)
    n = len(sums_GD)
    value = float(statistic(sums_GD.sum(axis=0, keepdims=True))[0])
    if np.isnan(value):
        reason = "all judgments are the same value: chance would agree as well"
        return Agreement(value=None, interval=None, n=n, num_judgments=num_judgments, reason=reason)
    if n < 2:
        reason = "an interval needs two comparisons or more"
        return Agreement(value=value, interval=None, n=n, num_judgments=num_judgments, reason=reason)
    resampled_B = statistic(_resampled_sums(sums_GD, num_resamples, np.random.default_rng(seed)))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(np.append(resampled_B, value), [tail, 1 - tail])
    return Agreement(value=value, interval=(float(low), float(high)), n=n, num_judgments=num_judgments)


def _sum_by_group(statistics_UD: Floats, groups_U: Integers) -> Floats:
    known, group_of = np.unique(groups_U, return_inverse=True)
    if len(known) == len(groups_U):
        return statistics_UD
    columns = [np.bincount(group_of, weights=column, minlength=len(known)) for column in statistics_UD.T]
    return np.stack(columns, axis=1)


def _resampled_sums(sums_GD: Floats, num_resamples: int, rng: np.random.Generator) -> Floats:
    """Sums [B, D] over G groups drawn with replacement; equal groups, often most, are drawn together."""
    kinds_KD, frequency_K = _distinct_rows(sums_GD)
    n = len(sums_GD)
    if len(kinds_KD) < _MANY_DISTINCT:
        return np.asarray(rng.multinomial(n, frequency_K / n, size=num_resamples) @ kinds_KD)
    rows = max(1, _CHUNK_CELLS // n)
    sums = []
    for start in range(0, num_resamples, rows):
        drawn = rng.integers(n, size=(min(rows, num_resamples - start), n))
        weights = np.stack([np.bincount(row, minlength=n) for row in drawn])
        sums.append(weights @ sums_GD)
    return np.concatenate(sums)


def _distinct_rows(rows_GD: Floats) -> tuple[Floats, Integers]:
    """The different rows and how often each occurs. Rows are compared by their bytes, which is much faster."""
    packed = np.ascontiguousarray(rows_GD + 0.0).view(np.dtype((np.void, rows_GD.shape[1] * rows_GD.itemsize)))
    _, first, frequency = np.unique(packed.ravel(), return_index=True, return_counts=True)
    return rows_GD[first], frequency.astype(np.int64)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Their quotient, not a number where the denominator is 0."""
    undefined = np.full_like(numerator, np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0)
