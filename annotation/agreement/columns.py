"""Judgments as columns: the one form from which everything about agreement is computed.

Shapes: J judgments, U units (what gets one value: a comparison, or one pair of completions of a ranking), G groups
(comparisons), A annotators, V values, K completions of a comparison.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Column = Sequence[Any] | NDArray[Any]

_TABLE_SPAN = 8  # whole numbers that span at most so many times their count are coded by a table, without sorting


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Judgments as numbers from 0, sorted by unit and then by annotator; nobody judges a unit twice."""

    units_J: Integers
    annotators_J: Integers
    values_J: Integers
    groups_U: Integers  # the comparison of each unit
    comparisons: NDArray[Any]  # G, what the groups stand for
    annotators: NDArray[Any]  # A, rising
    values: tuple[Any, ...]  # V, rising

    @property
    def num_units(self) -> int:
        """U."""
        return len(self.groups_U)

    @property
    def has_one_unit_each(self) -> bool:
        """True if no comparison has several units, as rankings have."""
        return int(np.bincount(self.groups_U).max(initial=0)) <= 1

    def unit_weights(self) -> Floats:
        """1 over the number of units of each unit's comparison [U]: together they count as one."""
        return np.asarray(1 / np.bincount(self.groups_U)[self.groups_U])


def columns_of(
    comparisons: Column, annotators: Column, values: Column, *, domain: Sequence[Any] | None = None
) -> Columns:
    """Columns of J judgments, each the value that an annotator gave a comparison, in any order.

    A value that is not a number (NaN) is no judgment. `domain` lists every possible value, rising; without it, those
    that occur count as all. Raises ValueError for unequal lengths, for a value outside the domain, and where one
    annotator judged a comparison twice.
    """
    if not len(comparisons) == len(annotators) == len(values):
        lengths = f"{len(comparisons)}, {len(annotators)} and {len(values)}"
        raise ValueError(f"comparisons, annotators and values must be equally long, got {lengths}")
    judged, judges, cells = _cells(comparisons), _cells(annotators), _cells(values)
    if cells.dtype.kind == "f" and (is_missing_J := np.isnan(cells)).any():
        judged, judges, cells = judged[~is_missing_J], judges[~is_missing_J], cells[~is_missing_J]
    known_comparisons, units_J = coded(judged)
    known_annotators, annotators_J = coded(judges)
    known_values, values_J = coded_in(cells, domain)
    return _sorted(
        Columns(
            units_J=units_J,
            annotators_J=annotators_J,
            values_J=values_J,
            groups_U=np.arange(len(known_comparisons)),
            comparisons=known_comparisons,
            annotators=known_annotators,
            values=known_values,
        )
    )


def columns_of_ranks(comparisons: Column, annotators: Column, ranks_JK: NDArray[Any]) -> Columns:
    """Columns of J rankings: every two completions of a comparison are a unit with the value -1, 0 or 1.

    `ranks_JK` holds ranks or tier numbers, smaller is better, NaN where a completion was not ranked. The value is 1
    where the completion with the lower index is better. Raises ValueError as `columns_of` does.
    """
    ranks_JK = _rank_matrix(ranks_JK, len(comparisons))
    known, groups_J = coded(comparisons)
    firsts, seconds = pairs_of(ranks_JK.shape[1])
    values_JP = np.sign(ranks_JK[:, seconds] - ranks_JK[:, firsts])
    num_pairs = len(firsts)
    units_JP = groups_J[:, None] * num_pairs + np.arange(num_pairs)
    of_pairs = columns_of(
        units_JP.ravel(), np.repeat(np.asarray(annotators), num_pairs), values_JP.ravel(), domain=(-1, 0, 1)
    )
    return Columns(
        units_J=of_pairs.units_J,
        annotators_J=of_pairs.annotators_J,
        values_J=of_pairs.values_J,
        groups_U=of_pairs.comparisons // max(1, num_pairs),
        comparisons=known,
        annotators=of_pairs.annotators,
        values=(-1, 0, 1),
    )


def ranks_of_tiers(rankings: Sequence[Sequence[Sequence[int]]], num_completions: int) -> Floats:
    """The place of each completion's tier [J, K], from 0 (best); NaN for a completion that no tier names."""
    ranks_JK = np.full((len(rankings), num_completions), np.nan)
    for row, tiers in enumerate(rankings):
        for place, tier in enumerate(tiers):
            ranks_JK[row, list(tier)] = place
    return ranks_JK


def pairs_of(num: int) -> tuple[Integers, Integers]:
    """The first and the second of every two of 0 … num-1."""
    pairs = np.array(list(combinations(range(num), 2)), dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def coded(column: Column) -> tuple[NDArray[Any], Integers]:
    """The different cells of a column, rising, and for each cell its number among them."""
    cells = _cells(column)
    if cells.dtype.kind in "iu" and len(cells) and int(cells.max()) - int(cells.min()) < _TABLE_SPAN * len(cells):
        offsets = (cells - cells.min()).astype(np.int64)
        is_there = np.zeros(int(offsets.max()) + 1, dtype=bool)
        is_there[offsets] = True
        return np.flatnonzero(is_there) + cells.min(), (np.cumsum(is_there) - 1)[offsets]
    known, codes = np.unique(cells, return_inverse=True)
    return known, codes.astype(np.int64).ravel()


def coded_in(column: Column, domain: Sequence[Any] | None) -> tuple[tuple[Any, ...], Integers]:
    """The possible values and for each cell its number among them. Raises ValueError for a cell outside the domain."""
    known, codes = coded(column)
    if domain is None:
        return tuple(known.tolist()), codes
    place = {value: number for number, value in enumerate(domain)}
    if unknown := [cell for cell in known.tolist() if cell not in place]:
        raise ValueError(f"the value {unknown[0]!r} is not one of {list(domain)}")
    places = np.array([place[cell] for cell in known.tolist()], dtype=np.int64)
    return tuple(domain), places[codes] if len(known) else codes


def _cells(column: Column) -> NDArray[Any]:
    """One-dimensional, whatever the cells are: tuples stay cells."""
    if isinstance(column, np.ndarray) or not any(isinstance(cell, tuple) for cell in column):
        return np.asarray(column)
    numbers: dict[Hashable, int] = {cell: number for number, cell in enumerate(sorted(set(column)))}
    return np.array([numbers[cell] for cell in column])


def _sorted(columns: Columns) -> Columns:
    keys_J = columns.units_J * max(1, len(columns.annotators)) + columns.annotators_J
    if np.all(keys_J[1:] > keys_J[:-1]):
        return columns
    order_J = np.argsort(keys_J, kind="stable")
    keys_J = keys_J[order_J]
    if len(twice := np.flatnonzero(keys_J[1:] == keys_J[:-1])):
        unit, annotator = divmod(int(keys_J[twice[0]]), len(columns.annotators))
        names = f"{columns.annotators[annotator]} judged {columns.comparisons[unit]}"
        raise ValueError(f"annotator {names} twice: give only the judgment that counts")
    return Columns(
        units_J=columns.units_J[order_J],
        annotators_J=columns.annotators_J[order_J],
        values_J=columns.values_J[order_J],
        groups_U=columns.groups_U,
        comparisons=columns.comparisons,
        annotators=columns.annotators,
        values=columns.values,
    )


def _rank_matrix(ranks: NDArray[Any], num_rankings: int) -> Floats:
    ranks_JK = np.asarray(ranks, dtype=np.float64)
    if ranks_JK.ndim != 2 or len(ranks_JK) != num_rankings:
        raise ValueError(f"one row of ranks for each of {num_rankings} rankings, got the shape {ranks_JK.shape}")
    return ranks_JK
