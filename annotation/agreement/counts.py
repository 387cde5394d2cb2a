"""Judgments as counts, which is all that coefficients for interchangeable annotators need.

`counts_UV[u, v]` is how many annotators gave unit u the value v. A unit is what gets one value: a pairwise comparison,
or one pair of completions of a ranking. `groups_U` names the comparison of each unit, because intervals come from
resampling whole comparisons.

Shapes: U units, V values, K kinds of units (those with the same counts), G groups (comparisons).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from annotation.agreement.columns import Column, Columns, Integers, coded, coded_in

FIRST_WORSE, TIED, FIRST_BETTER = -1, 0, 1  # the values of a pair of completions

_LARGEST_KEY = 2**62


@dataclass(frozen=True, kw_only=True)
class ValueCounts:
    """Judgments as counts."""

    counts_UV: Integers
    values: tuple[Any, ...]  # V, rising: what the columns stand for
    groups_U: Integers  # the comparison of each unit, numbered from 0

    def of_at_least(self, num_judgments: int) -> ValueCounts:
        """Only the units with so many judgments."""
        is_kept_U = self.counts_UV.sum(axis=1) >= num_judgments
        if is_kept_U.all():
            return self
        return ValueCounts(counts_UV=self.counts_UV[is_kept_U], values=self.values, groups_U=self.groups_U[is_kept_U])


def count_columns(columns: Columns) -> ValueCounts:
    """Counts of columns."""
    shape = (columns.num_units, len(columns.values))
    return ValueCounts(
        counts_UV=_counted(columns.units_J, columns.values_J, shape), values=columns.values, groups_U=columns.groups_U
    )


def count_values(units: Column, values: Column, *, domain: Sequence[Any] | None = None) -> ValueCounts:
    """Counts of judgments given as two equally long columns: the unit that was judged and the value it got.

    `domain` lists every possible value, rising; without it, those that occur count as all.
    """
    if len(units) != len(values):
        raise ValueError(f"one value for each unit: got {len(units)} units and {len(values)} values")
    known_units, units_J = coded(units)
    known_values, values_J = coded_in(values, domain)
    shape = (len(known_units), len(known_values))
    counts_UV = _counted(units_J, values_J, shape)
    return ValueCounts(counts_UV=counts_UV, values=known_values, groups_U=np.arange(shape[0]))


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


def kinds_of(counts_UV: Integers) -> tuple[Integers, Integers]:
    """The different rows [K, V] and the number of each unit's row among them [U]. Few, where judgments are few."""
    base = int(counts_UV.max(initial=0)) + 1
    if base ** counts_UV.shape[1] < _LARGEST_KEY:
        keys_U = counts_UV @ base ** np.arange(counts_UV.shape[1], dtype=np.int64)
        known, kind_U = coded(keys_U)
        unit_K = np.zeros(len(known), dtype=np.int64)
        unit_K[kind_U] = np.arange(len(kind_U))
        return counts_UV[unit_K], kind_U
    kinds_KV, kind_U = np.unique(counts_UV, axis=0, return_inverse=True)
    return kinds_KV, kind_U.astype(np.int64).ravel()


def _counted(units_J: Integers, values_J: Integers, shape: tuple[int, int]) -> Integers:
    flat = np.bincount(units_J * shape[1] + values_J, minlength=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.int64, copy=False)
