"""Coefficients of interchangeable annotators, from counts: raw agreement, Fleiss, Krippendorff, Gwet.

Shapes: U units, K kinds of units, V values, D numbers of a row, B resamples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from annotation.agreement.columns import Floats, Integers
from annotation.agreement.counts import ValueCounts, kinds_of
from annotation.agreement.intervals import (
    NUM_RESAMPLES,
    ONE_VALUE,
    Agreement,
    Statistic,
    estimate,
    ratio,
    rows_by_comparison,
)
from annotation.agreement.weights import Level, Weighting, fixed_distances, ordinal_distances, weight_matrix


def raw_agreement(data: ValueCounts, *, num_resamples: int = NUM_RESAMPLES, seed: int = 0) -> Agreement:
    """The share of all pairs of judgments of one unit that are equal: a unit judged more often counts more."""
    data = data.of_at_least(2)
    kinds_KV, kind_U = kinds_of(data.counts_UV)
    totals_K = kinds_KV.sum(axis=1)
    rows_KD = np.stack([(kinds_KV * (kinds_KV - 1)).sum(axis=1), totals_K * (totals_K - 1)], axis=1)

    def share(sums_BD: Floats) -> Floats:
        return ratio(sums_BD[:, 0], sums_BD[:, 1])

    return _of_pairable(share, rows_KD.astype(np.float64), kind_U, data, num_resamples=num_resamples, seed=seed)


def krippendorff_alpha(
    data: ValueCounts, *, level: Level, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> Agreement:
    """1 - observed over expected disagreement: 1 is perfect, 0 is chance. Undefined if only one value occurs.

    `level` says how far apart two values are: "nominal" equal or not, "ordinal" by how many judgments lie between
    them, "interval" by their squared difference, for which the values must be numbers. Each judgment counts once.

    Source: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), sections C and D.
    """
    data = data.of_at_least(2)
    distances_VV = fixed_distances(level, data.values)
    kinds_KV, kind_U = kinds_of(data.counts_UV)
    if distances_VV is None:
        rows_KD, statistic = _coincidences(kinds_KV), _ordinal_alpha(len(data.values))
    else:
        rows_KD, statistic = _disagreements(kinds_KV, distances_VV), _fixed_alpha(distances_VV)
    return _of_pairable(statistic, rows_KD, kind_U, data, num_resamples=num_resamples, seed=seed)


def fleiss_kappa(
    data: ValueCounts, *, weighting: Weighting = "identity", num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> Agreement:
    """Fleiss' kappa: chance draws every judgment from the shares of the values. Undefined if only one value occurs.

    Units may have different numbers of judgments; each unit counts once, and those judged once count in the shares.

    Source: J. L. Fleiss, "Measuring nominal scale agreement among many raters" (Psychological Bulletin 76, 1971), in
    the form for missing judgments and weights of Gwet (2014), chapters 2 and 3.
    """

    def expected(shares_BV: Floats, weights_VV: Floats) -> Floats:
        return np.asarray(((shares_BV @ weights_VV) * shares_BV).sum(axis=1))

    return _chance_corrected(expected, data, weighting=weighting, num_resamples=num_resamples, seed=seed)


def gwet_ac(
    data: ValueCounts, *, weighting: Weighting = "identity", num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> Agreement:
    """Gwet's AC1, or AC2 with a weighting other than "identity": steady where nearly all judgments are one value.

    Chance agreement is the weights' sum / (V (V - 1)) · sum of share · (1 - share) over the V possible values, so that
    `data.values` must list those that nobody gave, too. Undefined with fewer than two possible values.

    Source: K. Gwet, "Computing inter-rater reliability and its variance in the presence of high agreement" (British
    Journal of Mathematical and Statistical Psychology 61, 2008); with missing judgments and weights, Gwet (2014).
    """
    num_values = len(data.values)

    def expected(shares_BV: Floats, weights_VV: Floats) -> Floats:
        spread_B = (shares_BV * (1 - shares_BV)).sum(axis=1)
        if num_values < 2:
            return np.full(len(shares_BV), np.nan)
        return np.asarray(weights_VV.sum() / (num_values * (num_values - 1)) * spread_B)

    return _chance_corrected(
        expected,
        data,
        weighting=weighting,
        num_resamples=num_resamples,
        seed=seed,
        undefined="chance needs two possible values or more",
    )


def _of_pairable(
    statistic: Statistic, rows_KD: Floats, kind_U: Integers, data: ValueCounts, *, num_resamples: int, seed: int
) -> Agreement:
    rows = rows_by_comparison(rows_KD, kind_U, data.groups_U)
    num_judgments = int(data.counts_UV.sum())
    return estimate(statistic, rows, n=rows.n, num_judgments=num_judgments, num_resamples=num_resamples, seed=seed)


def _disagreements(kinds_KV: Integers, distances_VV: Floats) -> Floats:
    """Each kind's observed disagreement (Krippendorff, 2) and its counts [K, 1 + V]."""
    counts_KV = kinds_KV.astype(np.float64)
    observed_K = ((counts_KV @ distances_VV) * counts_KV).sum(axis=1) / (counts_KV.sum(axis=1) - 1)
    return np.concatenate([observed_K[:, None], counts_KV], axis=1)


def _fixed_alpha(distances_VV: Floats) -> Statistic:
    def alpha(sums_BD: Floats) -> Floats:
        totals_BV = sums_BD[:, 1:]
        expected_B = ((totals_BV @ distances_VV) * totals_BV).sum(axis=1)
        return np.asarray(1 - (totals_BV.sum(axis=1) - 1) * ratio(sums_BD[:, 0], expected_B))

    return alpha


def _coincidences(kinds_KV: Integers) -> Floats:
    """How often each value meets each other one in a unit [K, V²], each judgment counting once (Krippendorff, 2)."""
    counts_KV = kinds_KV.astype(np.float64)
    products_KVV = counts_KV[:, :, None] * counts_KV[:, None, :]
    diagonal = np.arange(counts_KV.shape[1])
    products_KVV[:, diagonal, diagonal] -= counts_KV
    products_KVV /= (counts_KV.sum(axis=1) - 1)[:, None, None]
    return products_KVV.reshape(len(counts_KV), counts_KV.shape[1] ** 2)


def _ordinal_alpha(num_values: int) -> Statistic:
    """Alpha whose distances follow from how often each value occurs in the resample (Krippendorff, 4)."""

    def alpha(sums_BD: Floats) -> Floats:
        coincidences_BVV = sums_BD.reshape(-1, num_values, num_values)
        totals_BV = coincidences_BVV.sum(axis=2)
        distances_BVV = ordinal_distances(totals_BV)
        observed_B = (coincidences_BVV * distances_BVV).sum(axis=(1, 2))
        expected_B = (totals_BV[:, :, None] * totals_BV[:, None, :] * distances_BVV).sum(axis=(1, 2))
        return np.asarray(1 - (totals_BV.sum(axis=1) - 1) * ratio(observed_B, expected_B))

    return alpha


def _chance_corrected(
    expected: Callable[[Floats, Floats], Floats],
    data: ValueCounts,
    *,
    weighting: Weighting,
    num_resamples: int,
    seed: int,
    undefined: str = ONE_VALUE,
) -> Agreement:
    """(observed - expected) / (1 - expected); `expected` maps shares [B, V] and weights [V, V] to chance agreement."""
    data = data.of_at_least(1)
    weights_VV = weight_matrix(weighting, data.values)
    kinds_KV, kind_U = kinds_of(data.counts_UV)
    rows = rows_by_comparison(_agreements_and_shares(kinds_KV, weights_VV), kind_U, data.groups_U)

    def coefficient(sums_BD: Floats) -> Floats:
        observed_B = ratio(sums_BD[:, 1], sums_BD[:, 0])
        expected_B = expected(sums_BD[:, 3:] / sums_BD[:, 2:3], weights_VV)
        return ratio(observed_B - expected_B, 1 - expected_B)

    twice = data.of_at_least(2)
    return estimate(
        coefficient,
        rows,
        n=int((np.bincount(twice.groups_U) > 0).sum()),
        num_judgments=int(twice.counts_UV.sum()),
        num_resamples=num_resamples,
        seed=seed,
        undefined=undefined,
    )


def _agreements_and_shares(kinds_KV: Integers, weights_VV: Floats) -> Floats:
    """For each kind: is it judged twice, its (weighted) agreement, is it judged, the share of each value [K, 3 + V]."""
    counts_KV = kinds_KV.astype(np.float64)
    totals_K = counts_KV.sum(axis=1)
    is_twice_K = totals_K >= 2
    equal_K = (counts_KV * (counts_KV @ weights_VV - 1)).sum(axis=1)
    agreement_K = np.where(is_twice_K, equal_K / np.maximum(totals_K * (totals_K - 1), 1), 0.0)
    shares_KV = counts_KV / totals_K[:, None]
    return np.concatenate([np.stack([is_twice_K, agreement_K, np.ones(len(totals_K))], axis=1), shares_KV], axis=1)
