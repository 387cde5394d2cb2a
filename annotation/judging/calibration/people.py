"""A judge's agreement with people, beside that of people with each other and of "the longer one wins".

All three are computed alike: from pairs of judgments of one comparison, (judge, person) or (person, person), each
pair counting once, and against the most frequent answer of all people but one. Intervals resample prompts.

Shapes: J people's judgments, U comparisons, P pairs of judgments, V = 3 values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from annotation.agreement import (
    Agreement,
    Columns,
    coded,
    cohen_kappa,
    count_columns,
    fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    raw_agreement,
)
from annotation.agreement.columns import Column, Floats, Integers
from annotation.agreement.intervals import NUM_RESAMPLES, estimate, ratio
from annotation.judging.calibration.clusters import clustered_rows, clustered_share
from annotation.quality import Share

VALUES = (-1, 0, 1)

_NOBODY = "nobody judged what the judge judged"
_NO_OTHERS = "no comparison was judged by two people"


@dataclass(frozen=True, kw_only=True)
class RaterAgreement:
    """How far one rater (a judge, a person, a rule) agrees with people."""

    raw: Agreement  # the share of pairs of judgments that are equal; ties are a third answer
    without_ties: Agreement  # likewise, of the pairs that are both strict preferences
    kappa: Agreement  # Cohen's; of people with each other, who have no order, Fleiss'
    alpha: Agreement  # Krippendorff's, nominal
    ac1: Agreement  # Gwet's
    with_consensus: Share  # of all people but one, each left out in turn; level answers count in part


@dataclass(frozen=True, kw_only=True)
class PeopleAgreement:
    """Everything on the comparisons that both the judge and people judged."""

    judge: RaterAgreement
    people: RaterAgreement
    longer: RaterAgreement | None  # the rule "the longer one wins"; None if no lengths were given
    judge_minus_people: Agreement  # of raw agreement, on the comparisons that two people or more judged
    num_comparisons: int
    num_judgments: int  # of people


def agreement_with_people(
    comparisons: Column,
    values: Column,
    *,
    judge_comparisons: Column,
    judge_values: Column,
    longer: Column | None = None,
    prompts: Column | None = None,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> PeopleAgreement:
    """Agreement from people's columns (a row for each judgment) and the judge's (a row for each comparison).

    `longer` is, for each of the judge's rows, 1, -1 or 0 where the completion with the lower index is longer, shorter
    or as long (`annotation.quality.sign_of_longer`); `prompts` the prompt of each, resampled as a
    whole; without it each comparison counts as one of its own. Raises ValueError if the judge has a comparison twice.
    """
    table = _table(comparisons, values, judge_comparisons, judge_values, longer, prompts)
    first_P, second_P = _pairs_of_people(table.units_J)
    groups_J = table.groups_U[table.units_J]
    people = _rater(table.values_J[first_P], table.values_J[second_P], groups_J[first_P], True, num_resamples, seed)
    judge_J = table.judge_U[table.units_J]
    judge = _rater(judge_J, table.values_J, groups_J, False, num_resamples, seed)
    consensus_JV = _consensus_of_others(table)
    of_longer = None
    if table.longer_U is not None:
        longer_J = table.longer_U[table.units_J]
        rater = _rater(longer_J, table.values_J, groups_J, False, num_resamples, seed)
        of_longer = RaterAgreement(**rater, with_consensus=_credit(longer_J, consensus_JV, groups_J))
    return PeopleAgreement(
        judge=RaterAgreement(**judge, with_consensus=_credit(judge_J, consensus_JV, groups_J)),
        people=RaterAgreement(**people, with_consensus=_credit(table.values_J, consensus_JV, groups_J)),
        longer=of_longer,
        judge_minus_people=_difference(table, first_P, second_P, num_resamples, seed),
        num_comparisons=len(table.judge_U),
        num_judgments=len(table.values_J),
    )


@dataclass(frozen=True, kw_only=True)
class _Table:
    """People's judgments of the U comparisons that the judge judged too, sorted by comparison; values are 0 … 2."""

    units_J: Integers
    values_J: Integers
    judge_U: Integers
    longer_U: Integers | None
    groups_U: Integers  # the prompt of each comparison


def _table(
    comparisons: Column,
    values: Column,
    judge_comparisons: Column,
    judge_values: Column,
    longer: Column | None,
    prompts: Column | None,
) -> _Table:
    judged, judge = np.asarray(judge_comparisons), np.asarray(judge_values, dtype=np.float64)
    given, people = np.asarray(comparisons), np.asarray(values, dtype=np.float64)
    if len(np.unique(judged)) < len(judged):
        raise ValueError("the judge has one value for each comparison: give only the one that counts")
    is_kept, is_judged = ~np.isnan(judge), ~np.isnan(people)
    is_kept &= np.isin(judged, given[is_judged])
    is_judged &= np.isin(given, judged[is_kept])
    _, units_J = coded(given[is_judged])
    order = np.argsort(judged[is_kept], kind="stable")
    by_unit = np.argsort(units_J, kind="stable")
    groups = judged if prompts is None else np.asarray(prompts)
    return _Table(
        units_J=units_J[by_unit],
        values_J=_codes(people[is_judged])[by_unit],
        judge_U=_codes(judge[is_kept])[order],
        longer_U=None if longer is None else _codes(np.asarray(longer, dtype=np.float64)[is_kept])[order],
        groups_U=coded(groups[is_kept][order])[1],
    )


def _codes(values: Floats) -> Integers:
    """Signs as 0, 1, 2."""
    return np.sign(values).astype(np.int64) + 1


def _pairs_of_people(units_J: Integers) -> tuple[Integers, Integers]:
    """Rows of every two judgments of one comparison [P]."""
    firsts, seconds = [], []
    for lag in range(1, int(np.bincount(units_J).max(initial=0))):
        first = np.flatnonzero(units_J[:-lag] == units_J[lag:])
        firsts.append(first)
        seconds.append(first + lag)
    empty = np.array([], dtype=np.int64)
    return np.concatenate([empty, *firsts]), np.concatenate([empty, *seconds])


def _rater(
    first_P: Integers, second_P: Integers, groups_P: Integers, are_people: bool, num_resamples: int, seed: int
) -> dict[str, Agreement]:
    """Every coefficient of pairs of judgments."""
    columns = _columns(first_P, second_P, groups_P)
    counts = count_columns(columns)
    is_strict_P = (first_P != 1) & (second_P != 1)
    strict = count_columns(_columns(first_P[is_strict_P], second_P[is_strict_P], groups_P[is_strict_P]))
    options = {"num_resamples": num_resamples, "seed": seed}
    if are_people or not len(first_P):
        kappa = fleiss_kappa(counts, num_resamples=num_resamples, seed=seed)
    else:
        kappa = cohen_kappa(columns, 0, 1, num_resamples=num_resamples, seed=seed)
    return {
        "raw": raw_agreement(counts, **options),
        "without_ties": raw_agreement(strict, **options),
        "kappa": kappa,
        "alpha": krippendorff_alpha(counts, level="nominal", num_resamples=num_resamples, seed=seed),
        "ac1": gwet_ac(counts, num_resamples=num_resamples, seed=seed),
    }


def _columns(first_P: Integers, second_P: Integers, groups_P: Integers) -> Columns:
    """Each pair of judgments as a unit of its prompt, with two annotators."""
    comparisons, groups = coded(groups_P)
    return Columns(
        units_J=np.repeat(np.arange(len(first_P)), 2),
        annotators_J=np.tile(np.array([0, 1]), len(first_P)),
        values_J=np.stack([first_P, second_P], axis=1).ravel(),
        groups_U=groups,
        comparisons=comparisons,
        annotators=np.array([0, 1]),
        values=VALUES,
    )


def _consensus_of_others(table: _Table) -> Floats:
    """For each judgment, how much each value is the most frequent one of the others [J, V]; zeros if there are none."""
    counts_UV = np.zeros((len(table.judge_U), len(VALUES)), dtype=np.int64)
    np.add.at(counts_UV, (table.units_J, table.values_J), 1)
    others_JV = counts_UV[table.units_J]
    others_JV[np.arange(len(table.values_J)), table.values_J] -= 1
    is_mode_JV = (others_JV == others_JV.max(axis=1, keepdims=True)) & (others_JV > 0)
    return ratio(is_mode_JV.astype(np.float64), is_mode_JV.sum(axis=1, keepdims=True).astype(np.float64))


def _credit(values_J: Integers, consensus_JV: Floats, groups_J: Integers) -> Share:
    credits_J = consensus_JV[np.arange(len(values_J)), values_J]
    is_told_J: NDArray[np.bool_] = ~np.isnan(credits_J)
    return clustered_share(credits_J[is_told_J], groups_J[is_told_J], nothing=_NO_OTHERS)


def _difference(table: _Table, first_P: Integers, second_P: Integers, num_resamples: int, seed: int) -> Agreement:
    """Raw agreement of the judge minus that of people, on the same comparisons."""
    size = len(table.judge_U)
    with_judge_J = (table.judge_U[table.units_J] == table.values_J).astype(np.float64)
    among_P = (table.values_J[first_P] == table.values_J[second_P]).astype(np.float64)
    units_P = table.units_J[first_P]
    rows_UD = np.stack(
        [
            np.bincount(table.units_J, weights=with_judge_J, minlength=size),
            np.bincount(table.units_J, minlength=size),
            np.bincount(units_P, weights=among_P, minlength=size),
            np.bincount(units_P, minlength=size),
        ],
        axis=1,
    )
    is_twice_U = rows_UD[:, 3] > 0

    def difference(sums_BD: Floats) -> Floats:
        return ratio(sums_BD[:, 0], sums_BD[:, 1]) - ratio(sums_BD[:, 2], sums_BD[:, 3])

    rows = clustered_rows(rows_UD[is_twice_U].astype(np.float64), table.groups_U[is_twice_U])
    found = estimate(
        difference,
        rows,
        n=rows.n,
        num_judgments=int(rows_UD[is_twice_U, 1].sum()),
        num_resamples=num_resamples,
        seed=seed,
    )
    if found.n:
        return found
    reason = _NO_OTHERS if size else _NOBODY
    return Agreement(value=None, interval=None, n=0, num_judgments=0, reason=reason)
