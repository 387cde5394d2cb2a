"""Agreement of each annotator with the consensus of the others, and with gold answers, raw and chance-corrected.

The consensus is left-one-out: the most frequent value among everybody else's judgments of the unit. Where several
values are level, each is the consensus with equal weight, as if a coin decided. Chance correction is Cohen's kappa,
the annotator against the consensus.

Shapes: J judgments, U units, A annotators, V values, C cases (a unit's counts and one's own value in it).

Source: one against the mode of the others is how Y. Dubois and others measure people in "AlpacaFarm" (2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.agreement import Columns, Weighting, coded, count_columns, weight_matrix
from annotation.agreement.columns import Column, Floats, Integers, coded_in
from annotation.agreement.counts import kinds_of
from annotation.agreement.intervals import ONE_VALUE
from annotation.agreement.pairwise import around, kappa_of_tables
from annotation.quality.shares import Share, num_comparisons, share

NOBODY_ELSE = "nobody else judged the same"
NO_GOLD = "no gold answer was given"


@dataclass(frozen=True, kw_only=True)
class AnnotatorAgreement:
    """One annotator against a reference."""

    annotator: Any
    raw: Share  # mean weight of own value and reference: with identity weights the share that are equal
    kappa: Share  # Cohen's, by the infinitesimal jackknife


@dataclass(frozen=True, kw_only=True)
class Credits:
    """How far each judgment agrees with the consensus of the others, 0 … 1; only those with others are listed."""

    comparisons_J: NDArray[Any]  # as they were given
    annotators_J: NDArray[Any]
    credits_J: Floats
    others_J: Floats  # the mean credit of the other judgments of the same unit, each against the others of its own

    def relative(self) -> Floats:
        """(1 + own credit - credit of the others) / 2: one half for whoever is as good as the others of the unit.

        Items on which nobody agrees lower a credit but not this, so that it can be tested in any order of items.
        """
        return np.asarray((1 + self.credits_J - self.others_J) / 2)


@dataclass(frozen=True, kw_only=True)
class _Cases:
    """The different combinations of a unit's counts and one's own value in it."""

    cases_J: Integers  # of each judgment
    kinds_C: Integers  # of units with the same counts
    values_C: Integers  # one's own
    others_CV: Integers  # counts of everybody else
    consensus_CV: Floats  # of everybody else, as shares of the values; zeros where there is nobody else


def agreement_with_consensus(columns: Columns, *, weighting: Weighting = "identity") -> list[AnnotatorAgreement]:
    """Each annotator against the consensus of the others, in rising order of annotators."""
    cases = _cases(columns)
    cases_J, consensus_CV = cases.cases_J, cases.consensus_CV
    num_values, num_annotators = len(columns.values), len(columns.annotators)
    own_J = columns.annotators_J * num_values + columns.values_J
    tables = np.zeros((num_annotators * num_values, num_values))
    for value, consensus_C in enumerate(consensus_CV.T):
        tables[:, value] = np.bincount(own_J, weights=consensus_C[cases_J], minlength=len(tables))
    tables_AVV = tables.reshape(num_annotators, num_values, num_values)
    weights_J = consensus_CV.sum(axis=1)[cases_J] * columns.unit_weights()[columns.units_J]
    independent_A = np.bincount(columns.annotators_J, weights_J, minlength=num_annotators).astype(np.float64)
    return _rows(columns.annotators, tables_AVV, independent_A, columns.values, weighting, nothing=NOBODY_ELSE)


def consensus_credits(columns: Columns, *, weighting: Weighting = "identity") -> Credits:
    """Every judgment's agreement with the consensus of the others, for series over time and sequential tests."""
    cases = _cases(columns)
    weights_VV = weight_matrix(weighting, columns.values)
    num_others_C = cases.others_CV.sum(axis=1)
    credits_C = (cases.consensus_CV * weights_VV[cases.values_C]).sum(axis=1)
    credits_KV = np.zeros((int(cases.kinds_C.max(initial=-1)) + 1, len(columns.values)))
    credits_KV[cases.kinds_C, cases.values_C] = credits_C
    others_C = (cases.others_CV * credits_KV[cases.kinds_C]).sum(axis=1) / np.maximum(num_others_C, 1)
    is_counted_J = num_others_C[cases.cases_J] > 0
    counted_J = cases.cases_J[is_counted_J]
    return Credits(
        comparisons_J=columns.comparisons[columns.groups_U[columns.units_J[is_counted_J]]],
        annotators_J=columns.annotators[columns.annotators_J[is_counted_J]],
        credits_J=credits_C[counted_J],
        others_J=others_C[counted_J],
    )


def agreement_with_gold(
    annotators: Column,
    values: Column,
    golds: Column,
    *,
    comparisons: Column | None = None,
    weighting: Weighting = "identity",
) -> list[AnnotatorAgreement]:
    """Each annotator against gold: equally long columns of who judged, the value given and the value that is right.

    `comparisons` names the comparison of each row where one judgment has several (pairs of a ranking).
    """
    domain = sorted({*np.unique(np.asarray(values)).tolist(), *np.unique(np.asarray(golds)).tolist()})
    known, annotators_J = coded(annotators)
    _, values_J = coded_in(values, domain)
    _, golds_J = coded_in(golds, domain)
    shape = (len(known), len(domain), len(domain))
    cells_J = (annotators_J * shape[1] + values_J) * shape[2] + golds_J
    tables_AVV = np.bincount(cells_J, minlength=shape[0] * shape[1] * shape[2]).reshape(shape).astype(np.float64)
    independent_A = tables_AVV.sum(axis=(1, 2))
    if comparisons is not None:
        independent_A = num_comparisons(annotators_J, coded(comparisons)[1], len(known))
    return _rows(known, tables_AVV, independent_A, domain, weighting, nothing=NO_GOLD)


def _cases(columns: Columns) -> _Cases:
    kinds_KV, kind_U = kinds_of(count_columns(columns).counts_UV)
    num_values = max(1, len(columns.values))
    known, cases_J = coded(kind_U[columns.units_J] * num_values + columns.values_J)
    kinds_C, values_C = known.astype(np.int64) // num_values, known.astype(np.int64) % num_values
    others_CV = kinds_KV[kinds_C].copy()
    others_CV[np.arange(len(known)), values_C] -= 1
    largest_C = others_CV.max(axis=1, initial=0)
    is_mode_CV = (others_CV == largest_C[:, None]) & (largest_C > 0)[:, None]
    consensus_CV = is_mode_CV / np.maximum(is_mode_CV.sum(axis=1), 1)[:, None]
    return _Cases(cases_J=cases_J, kinds_C=kinds_C, values_C=values_C, others_CV=others_CV, consensus_CV=consensus_CV)


def _rows(
    annotators: Any, tables_AVV: Floats, independent_A: Floats, values: Any, weighting: Weighting, *, nothing: str
) -> list[AnnotatorAgreement]:
    """Tables of own value by reference as rows; `independent_A` is how many comparisons each table comes from."""
    weights_VV = weight_matrix(weighting, values)
    n_A = tables_AVV.sum(axis=(1, 2))
    agreed_A = (tables_AVV * weights_VV).sum(axis=(1, 2))
    kappa_A, variance_A = kappa_of_tables(tables_AVV, weights_VV)
    low_A, high_A = around(kappa_A, np.sqrt(variance_A * n_A / np.maximum(independent_A, 1e-9)))
    rows = []
    for number, annotator in enumerate(np.asarray(annotators).tolist()):
        n = round(float(n_A[number]))
        raw = share(float(agreed_A[number]), n, num_independent=float(independent_A[number]), nothing=nothing)
        if not n or np.isnan(kappa_A[number]):
            kappa = Share(value=None, interval=None, n=n, reason=ONE_VALUE if n else nothing)
        else:
            interval = (float(low_A[number]), float(high_A[number]))
            kappa = Share(value=float(kappa_A[number]), interval=interval, n=n)
        rows.append(AnnotatorAgreement(annotator=annotator, raw=raw, kappa=kappa))
    return rows
