"""What a judge costs, and what a new version of it changes.

Shapes: J comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.agreement import Agreement, coded, cohen_kappa, columns_of
from annotation.agreement.columns import Column, Floats
from annotation.agreement.intervals import NOTHING_TWICE, NUM_RESAMPLES, estimate, ratio
from annotation.judging.calibration.clusters import clustered_rows, clustered_share
from annotation.quality import Share

_NOT_BOTH = "no comparison was judged by both versions"
_NO_PEOPLE = "no comparison was judged by both versions and by people"


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What 1,000 judgments cost. Where `per_1000` is None, `reason` says why."""

    per_1000: float | None  # in the currency of the prices
    num_calls: int  # retries and second orders included
    num_judgments: int
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class VersionDrift:
    """Two versions of a judge on the same comparisons."""

    same: Share  # answers, ties included
    kappa: Agreement  # Cohen's
    reversed: Share  # strict preferences turned round, of those strict in both
    change: Agreement  # of the agreement with people, new minus old, paired by comparison


def cost_per_1000(costs: Column, num_judgments: int) -> Cost:
    """From the cost of every call that was made, for whatever purpose, NaN where it is unknown; cached ones cost 0."""
    costs_C = np.asarray(costs, dtype=np.float64)
    num_unknown = int(np.isnan(costs_C).sum())
    reason = None
    if not num_judgments:
        reason = "no judgment was made"
    elif num_unknown:
        reason = f"the cost of {num_unknown} of {len(costs_C)} calls is not known: give the model its prices"
    per_1000 = None if reason else float(costs_C.sum()) / num_judgments * 1000
    return Cost(per_1000=per_1000, num_calls=len(costs_C), num_judgments=num_judgments, reason=reason)


def version_drift(
    old_values: Column,
    new_values: Column,
    people: Column | None = None,
    *,
    prompts: Column | None = None,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> VersionDrift:
    """From equally long columns with a row for each comparison, NaN where there is no judgment.

    `people` is people's answer (a consensus or a single judgment) to the same comparison; `prompts`, if given,
    are resampled as a whole.
    """
    old_J, new_J = np.asarray(old_values, dtype=np.float64), np.asarray(new_values, dtype=np.float64)
    people_J = np.full(len(old_J), np.nan) if people is None else np.asarray(people, dtype=np.float64)
    if not len(old_J) == len(new_J) == len(people_J):
        raise ValueError("the columns of both versions and of people must be equally long")
    is_both_J = ~np.isnan(old_J) & ~np.isnan(new_J)
    old_J, new_J, people_J = np.sign(old_J[is_both_J]), np.sign(new_J[is_both_J]), np.sign(people_J[is_both_J])
    groups_J = np.arange(len(old_J)) if prompts is None else np.asarray(prompts)[is_both_J]
    is_strict_J = (old_J != 0) & (new_J != 0)
    return VersionDrift(
        same=clustered_share(old_J == new_J, groups_J, nothing=_NOT_BOTH),
        kappa=_kappa(old_J, new_J, groups_J, num_resamples, seed),
        reversed=clustered_share(
            (old_J != new_J)[is_strict_J],
            groups_J[is_strict_J],
            nothing="no comparison got a strict preference of both versions",
        ),
        change=_change(old_J, new_J, people_J, groups_J, num_resamples, seed),
    )


def _kappa(old_J: Floats, new_J: Floats, groups_J: NDArray[Any], num_resamples: int, seed: int) -> Agreement:
    if not len(old_J):
        return Agreement(value=None, interval=None, n=0, num_judgments=0, reason=NOTHING_TWICE)
    comparisons = np.tile(np.arange(len(old_J)), 2)
    versions = np.repeat([0, 1], len(old_J))
    columns = columns_of(comparisons, versions, np.concatenate([old_J, new_J]), domain=(-1, 0, 1))
    columns = replace(columns, groups_U=coded(groups_J)[1])
    return cohen_kappa(columns, 0, 1, num_resamples=num_resamples, seed=seed)


def _change(
    old_J: Floats, new_J: Floats, people_J: Floats, groups_J: NDArray[Any], num_resamples: int, seed: int
) -> Agreement:
    is_told_J = ~np.isnan(people_J)
    gained_J = (new_J == people_J).astype(np.float64) - (old_J == people_J)
    rows_JD = np.stack([gained_J[is_told_J], np.ones(int(is_told_J.sum()))], axis=1)
    rows = clustered_rows(rows_JD, groups_J[is_told_J])

    def mean(sums_BD: Floats) -> Floats:
        return ratio(sums_BD[:, 0], sums_BD[:, 1])

    found = estimate(mean, rows, n=rows.n, num_judgments=3 * len(rows_JD), num_resamples=num_resamples, seed=seed)
    return found if found.n else Agreement(value=None, interval=None, n=0, num_judgments=0, reason=_NO_PEOPLE)
