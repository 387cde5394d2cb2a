"""Every two annotators: raw agreement and Cohen's kappa, as one table for all of them and with a bootstrap for two.

Everything comes from confusion tables: how often annotator a said v where annotator b said w. Units are grouped by
their number of judgments, so that all pairs of judgments of all units are formed without a loop over units.

Shapes: J judgments, U units, A annotators, V values, Q pairs of annotators that share a unit, B resamples.

Sources: J. Cohen, "A coefficient of agreement for nominal scales" (Educational and Psychological Measurement 20, 1960)
and "Weighted kappa" (Psychological Bulletin 70, 1968); the standard error is the infinitesimal jackknife (B. Efron,
"The Jackknife, the Bootstrap and Other Resampling Plans", 1982, chapter 6), which for kappa is the formula of
J. Fleiss, J. Cohen and B. Everitt (Psychological Bulletin 72, 1969).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.agreement.columns import Columns, Floats, Integers, coded, pairs_of
from annotation.agreement.intervals import (
    CONFIDENCE,
    NOTHING_TWICE,
    NUM_RESAMPLES,
    ONE_VALUE,
    Agreement,
    Rows,
    estimate,
    ratio,
    wilson,
)
from annotation.agreement.weights import Weighting, weight_matrix

_CHUNK_PAIRS = 2_000_000  # pairs of judgments held at a time
_LARGEST_TABLE = 16_000_000  # cells of a confusion table of all annotators at once


@dataclass(frozen=True, kw_only=True)
class PairwiseAgreement:
    """Columns with a row for each two annotators that share a unit; kappa is NaN where chance agrees as well."""

    annotators: NDArray[Any]  # A
    first_Q: Integers  # numbers of annotators, first < second
    second_Q: Integers
    num_shared_Q: Integers  # units that both judged
    raw_Q: Floats  # weighted agreement, with identity weights the share of equal values
    raw_low_Q: Floats  # Wilson's 95 % interval; units of one comparison count together as one
    raw_high_Q: Floats
    kappa_Q: Floats
    kappa_low_Q: Floats  # 95 %, by the infinitesimal jackknife, likewise
    kappa_high_Q: Floats

    def matrix(self, column_Q: Floats | Integers) -> Floats:
        """One of the columns as a symmetric matrix [A, A], NaN on the diagonal and where nothing is shared."""
        size = len(self.annotators)
        matrix_AA = np.full((size, size), np.nan)
        matrix_AA[self.first_Q, self.second_Q] = matrix_AA[self.second_Q, self.first_Q] = column_Q
        return matrix_AA

    def row(self, first: Any, second: Any) -> tuple[Agreement, Agreement]:
        """Raw agreement and kappa of two annotators, in either order. Raises ValueError for an unknown one."""
        lower, higher = sorted(_number_of(self.annotators, annotator) for annotator in (first, second))
        found = np.flatnonzero((self.first_Q == lower) & (self.second_Q == higher))
        if not len(found):
            nothing = Agreement(value=None, interval=None, n=0, num_judgments=0, reason=NOTHING_TWICE)
            return nothing, nothing
        raw = self._cell(int(found[0]), self.raw_Q, self.raw_low_Q, self.raw_high_Q)
        return raw, self._cell(int(found[0]), self.kappa_Q, self.kappa_low_Q, self.kappa_high_Q)

    def _cell(self, row: int, value_Q: Floats, low_Q: Floats, high_Q: Floats) -> Agreement:
        n, is_defined = int(self.num_shared_Q[row]), not np.isnan(value_Q[row])
        return Agreement(
            value=float(value_Q[row]) if is_defined else None,
            interval=(float(low_Q[row]), float(high_Q[row])) if is_defined else None,
            n=n,
            num_judgments=2 * n,
            reason=None if is_defined else ONE_VALUE,
        )


def pairwise_agreement(columns: Columns, *, weighting: Weighting = "identity") -> PairwiseAgreement:
    """Raw agreement and Cohen's (weighted) kappa of every two annotators that share a unit."""
    confusion_QVV, num_comparisons_Q, pairs_Q = _confusions(columns)
    weights_VV = weight_matrix(weighting, columns.values)
    num_shared_Q = confusion_QVV.sum(axis=(1, 2))
    agreed_Q = (confusion_QVV * weights_VV).sum(axis=(1, 2))
    raw_Q = ratio(agreed_Q, num_shared_Q)
    low_Q, high_Q = wilson(raw_Q * num_comparisons_Q, num_comparisons_Q)
    kappa_Q, variance_Q = kappa_of_tables(confusion_QVV, weights_VV)
    error_Q = np.sqrt(variance_Q * num_shared_Q / np.maximum(num_comparisons_Q, 1e-9))
    kappa_low_Q, kappa_high_Q = around(kappa_Q, error_Q)
    return PairwiseAgreement(
        annotators=columns.annotators,
        first_Q=pairs_Q // max(1, len(columns.annotators)),
        second_Q=pairs_Q % max(1, len(columns.annotators)),
        num_shared_Q=num_shared_Q.astype(np.int64),
        raw_Q=raw_Q,
        raw_low_Q=low_Q,
        raw_high_Q=high_Q,
        kappa_Q=kappa_Q,
        kappa_low_Q=kappa_low_Q,
        kappa_high_Q=kappa_high_Q,
    )


def cohen_kappa(
    columns: Columns,
    first: Any,
    second: Any,
    *,
    weighting: Weighting = "identity",
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Agreement:
    """Cohen's (weighted) kappa of two annotators over the units that both judged, with a bootstrap interval.

    Chance draws from each annotator's own shares of the values. Undefined where that is certain to agree: both gave
    one same value throughout. Raises ValueError for an annotator without judgments.
    """
    values_PU = [_values_of(columns, annotator) for annotator in (first, second)]
    shared_U = np.flatnonzero((values_PU[0] >= 0) & (values_PU[1] >= 0))
    num_values = len(columns.values)
    cells_U = values_PU[0][shared_U] * num_values + values_PU[1][shared_U]
    groups, group_U = coded(columns.groups_U[shared_U])
    if len(groups) == len(shared_U):
        rows = Rows(rows_KD=np.eye(num_values**2), frequency_K=np.bincount(cells_U, minlength=num_values**2))
    else:
        flat = np.bincount(group_U * num_values**2 + cells_U, minlength=len(groups) * num_values**2)
        tables = flat.reshape(len(groups), num_values**2).astype(np.float64)
        rows = Rows(rows_KD=tables, frequency_K=np.ones(len(groups), dtype=np.int64))
    weights_VV = weight_matrix(weighting, columns.values)

    def kappa(sums_BD: Floats) -> Floats:
        return kappa_of_tables(sums_BD.reshape(-1, num_values, num_values), weights_VV)[0]

    return estimate(kappa, rows, n=len(groups), num_judgments=2 * len(shared_U), num_resamples=num_resamples, seed=seed)


def kappa_of_tables(confusion_QVV: Floats, weights_VV: Floats) -> tuple[Floats, Floats]:
    """Kappa of each confusion table [Q] and its variance if all observations are independent; NaN where undefined.

    With observed agreement o and expected e, an observation (v, w) moves kappa = (o - e) / (1 - e) by
    ((1 - e) (weight - o) - (1 - o) (its row's and its column's mean weight - 2 e)) / (1 - e)² / n.
    """
    n_Q = confusion_QVV.sum(axis=(1, 2))
    shares_QVV = ratio(confusion_QVV, n_Q[:, None, None])
    first_QV, second_QV = shares_QVV.sum(axis=2), shares_QVV.sum(axis=1)
    row_QV, column_QV = second_QV @ weights_VV, first_QV @ weights_VV  # mean weight of a first value, of a second one
    observed_Q = (shares_QVV * weights_VV).sum(axis=(1, 2))
    expected_Q = (first_QV * row_QV).sum(axis=1)
    left_Q = np.where(1 - expected_Q > 1e-12, 1 - expected_Q, 0.0)
    kappa_Q = ratio(observed_Q - expected_Q, left_Q)
    by_chance_QVV = row_QV[:, :, None] + column_QV[:, None, :] - 2 * expected_Q[:, None, None]
    moves_QVV = left_Q[:, None, None] * (weights_VV - observed_Q[:, None, None])
    moves_QVV -= (1 - observed_Q)[:, None, None] * by_chance_QVV
    variance_Q = ratio((shares_QVV * moves_QVV**2).sum(axis=(1, 2)), left_Q**4 * n_Q)
    return kappa_Q, variance_Q


def around(value: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Low and high ends of the normal 95 % interval, inside -1 … 1."""
    margin = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * error
    return np.maximum(value - margin, -1.0), np.minimum(value + margin, 1.0)


def _values_of(columns: Columns, annotator: Any) -> Integers:
    """The annotator's value of each unit [U], -1 where there is none."""
    is_own_J = columns.annotators_J == _number_of(columns.annotators, annotator)
    values_U = np.full(columns.num_units, -1, dtype=np.int64)
    values_U[columns.units_J[is_own_J]] = columns.values_J[is_own_J]
    return values_U


def _number_of(annotators: NDArray[Any], annotator: Any) -> int:
    number = int(np.searchsorted(annotators, annotator))
    if number >= len(annotators) or annotators[number] != annotator:
        raise ValueError(f"annotator {annotator!r} judged nothing here")
    return number


def _confusions(columns: Columns) -> tuple[Floats, Floats, Integers]:
    """Confusion tables [Q, V, V], shared comparisons [Q] and first · A + second [Q] of the pairs that share a unit."""
    num_annotators, num_values = len(columns.annotators), len(columns.values)
    num_cells = num_values**2
    is_dense = num_annotators**2 * num_cells <= _LARGEST_TABLE
    known = np.arange(num_annotators**2) if is_dense else _sharing_pairs(columns)
    tables = np.zeros(len(known) * num_cells)
    num_comparisons = np.zeros(len(known))
    weights_U = None if columns.has_one_unit_each else columns.unit_weights()
    for first, second in _judgment_pairs(columns):
        pairs = columns.annotators_J[first] * num_annotators + columns.annotators_J[second]
        rows = pairs if is_dense else np.searchsorted(known, pairs)
        cells = (rows * num_values + columns.values_J[first]) * num_values + columns.values_J[second]
        tables += np.bincount(cells, minlength=len(tables))
        if weights_U is not None:
            num_comparisons += np.bincount(rows, weights=weights_U[columns.units_J[first]], minlength=len(known))
    confusion_QVV = tables.reshape(len(known), num_values, num_values)
    num_shared = confusion_QVV.sum(axis=(1, 2))
    is_kept = num_shared > 0
    num_comparisons = num_shared if weights_U is None else num_comparisons
    return confusion_QVV[is_kept], num_comparisons[is_kept], known[is_kept]


def _sharing_pairs(columns: Columns) -> Integers:
    """first · A + second of all annotators that share a unit, rising."""
    size, known = len(columns.annotators), np.zeros(0, dtype=np.int64)
    for first, second in _judgment_pairs(columns):
        known = np.union1d(known, columns.annotators_J[first] * size + columns.annotators_J[second])
    return known


def _judgment_pairs(columns: Columns) -> Iterator[tuple[Integers, Integers]]:
    """Every two judgments of a unit, as places in the columns, in chunks; the first annotator is the lower one."""
    sizes_U = np.bincount(columns.units_J, minlength=columns.num_units)
    starts_U = np.cumsum(sizes_U) - sizes_U
    for size in np.unique(sizes_U[sizes_U >= 2]).tolist():
        starts = starts_U[sizes_U == size]
        for firsts, seconds in _column_chunks(size):
            step = max(1, _CHUNK_PAIRS // len(firsts))
            for begin in range(0, len(starts), step):
                block = starts[begin : begin + step, None]
                yield (block + firsts).ravel(), (block + seconds).ravel()


def _column_chunks(size: int) -> Iterator[tuple[Integers, Integers]]:
    """Every two of `size` places, so many at a time that one unit's fit into a chunk."""
    firsts, seconds = pairs_of(size) if size < 1500 else np.triu_indices(size, 1)
    for begin in range(0, len(firsts), _CHUNK_PAIRS):
        yield firsts[begin : begin + _CHUNK_PAIRS], seconds[begin : begin + _CHUNK_PAIRS]
