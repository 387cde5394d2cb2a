"""Intraclass correlations of ratings, from sums over units, so that an interval costs no more than any other.

Shapes: U units (one completion's ratings), A annotators, D numbers of a row, B resamples; m ratings of a unit.

Source: P. E. Shrout and J. L. Fleiss, "Intraclass correlations: uses in assessing rater reliability" (Psychological
Bulletin 86, 1979); K. O. McGraw and S. P. Wong, "Forming inferences about some intraclass correlation coefficients"
(Psychological Methods 1, 1996) for the names in brackets.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from annotation.agreement.columns import Columns, Floats, Integers
from annotation.agreement.intervals import (
    NUM_RESAMPLES,
    Agreement,
    Statistic,
    estimate,
    ratio,
    rows_by_comparison,
)
from annotation.agreement.weights import numbers_of

Form = Literal["1,1", "2,1", "3,1", "1,k", "2,k", "3,k"]

NOT_CROSSED = "this form needs a rating of every unit by every annotator: use the form 1,1 or 1,k"
NO_SPREAD = "all ratings are the same, or there is one unit only: nothing tells units apart"


def intraclass_correlation(
    columns: Columns, *, form: Form = "1,1", num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> Agreement:
    """The share of the ratings' variance that lies between units.

    The form is Shrout and Fleiss's: "1" each unit is rated by other annotators (one-way, ICC(1)), which alone bears
    missing ratings and is the right one for a queue; "2" the annotators are a sample, and their severity counts as
    disagreement (absolute agreement, ICC(A)); "3" these annotators only, severity does not count (consistency,
    ICC(C)). ",1" is the reliability of one rating, ",k" of the mean of a unit's ratings. With missing ratings k is
    n₀ = (N - sum of m² / N) / (U - 1) of N ratings. Values must be numbers. Raises ValueError for another form.
    """
    if form not in get_args(Form):
        raise ValueError(f"form must be one of {', '.join(get_args(Form))}, got {form!r}")
    sizes_U = np.bincount(columns.units_J, minlength=columns.num_units)
    is_one_way = form.startswith("1")
    if is_one_way:
        is_kept_U = sizes_U >= 2
    else:
        is_kept_U = sizes_U >= 1
        if len(columns.annotators) < 2 or (sizes_U[is_kept_U] < len(columns.annotators)).any():
            return _undefined(columns, sizes_U)
    rows_UD = (_one_way_rows(columns) if is_one_way else _two_way_rows(columns))[is_kept_U]
    rows = rows_by_comparison(rows_UD, np.arange(len(rows_UD)), columns.groups_U[is_kept_U])
    is_mean = form.endswith("k")
    return estimate(
        _one_way(is_mean=is_mean) if is_one_way else _two_way(is_mean=is_mean, is_absolute=form.startswith("2")),
        rows,
        n=rows.n,
        num_judgments=int(sizes_U[is_kept_U].sum()),
        num_resamples=num_resamples,
        seed=seed,
        undefined=NO_SPREAD,
    )


def _undefined(columns: Columns, sizes_U: Integers) -> Agreement:
    is_twice_U = sizes_U >= 2
    return Agreement(
        value=None,
        interval=None,
        n=len(np.unique(columns.groups_U[is_twice_U])),
        num_judgments=int(sizes_U[is_twice_U].sum()),
        reason=NOT_CROSSED,
    )


def _ratings(columns: Columns) -> Floats:
    """Ratings [J] less the first of them: variances stay, squares are small, and equal ratings are exactly 0."""
    ratings_J = numbers_of(columns.values)[columns.values_J]
    return ratings_J - ratings_J[:1]


def _one_way_rows(columns: Columns) -> Floats:
    """1, m, m², sum, sum² / m, sum of squares of each unit [U, 6]."""
    ratings_J = _ratings(columns)
    sizes_U = np.bincount(columns.units_J, minlength=columns.num_units).astype(np.float64)
    sums_U = np.bincount(columns.units_J, weights=ratings_J, minlength=columns.num_units)
    squares_U = np.bincount(columns.units_J, weights=ratings_J**2, minlength=columns.num_units)
    means_U = sums_U**2 / np.maximum(sizes_U, 1)
    return np.stack([np.ones(columns.num_units), sizes_U, sizes_U**2, sums_U, means_U, squares_U], axis=1)


def _one_way(*, is_mean: bool) -> Statistic:
    """ICC(1): (between - within) / (between + (n₀ - 1) within), of mean squares."""

    def correlation(sums_BD: Floats) -> Floats:
        units_B, n_B, squared_sizes_B, sum_B, of_means_B, squares_B = sums_BD.T
        between_B = ratio(of_means_B - sum_B**2 / n_B, units_B - 1)
        within_B = ratio(squares_B - of_means_B, n_B - units_B)
        size_B = ratio(n_B - squared_sizes_B / n_B, units_B - 1)
        return ratio(between_B - within_B, between_B if is_mean else between_B + (size_B - 1) * within_B)

    return correlation


def _two_way_rows(columns: Columns) -> Floats:
    """1, sum² / A, sum of squares and each annotator's rating of each unit [U, 3 + A]."""
    ratings_UA = np.zeros((columns.num_units, len(columns.annotators)))
    ratings_UA[columns.units_J, columns.annotators_J] = _ratings(columns)
    means_U = ratings_UA.sum(axis=1) ** 2 / max(1, ratings_UA.shape[1])
    sums_U = (ratings_UA**2).sum(axis=1)
    return np.concatenate([np.stack([np.ones(len(means_U)), means_U, sums_U], axis=1), ratings_UA], axis=1)


def _two_way(*, is_mean: bool, is_absolute: bool) -> Statistic:
    """ICC(2) and ICC(3) from the mean squares of units, annotators and what is left."""

    def correlation(sums_BD: Floats) -> Floats:
        units_B, of_units_B, squares_B, sums_BA = sums_BD[:, 0], sums_BD[:, 1], sums_BD[:, 2], sums_BD[:, 3:]
        num_annotators = sums_BA.shape[1]
        middle_B = sums_BA.sum(axis=1) ** 2 / (units_B * num_annotators)
        units_square_B = of_units_B - middle_B
        annotators_square_B = (sums_BA**2).sum(axis=1) / units_B - middle_B
        rest_B = ratio(
            squares_B - middle_B - units_square_B - annotators_square_B, (units_B - 1) * (num_annotators - 1)
        )
        between_B = ratio(units_square_B, units_B - 1)
        severity_B = (annotators_square_B / (num_annotators - 1) - rest_B) / units_B if is_absolute else 0.0 * rest_B
        if is_mean:
            return ratio(between_B - rest_B, between_B + severity_B)
        return ratio(between_B - rest_B, between_B + (num_annotators - 1) * rest_B + num_annotators * severity_B)

    return correlation
