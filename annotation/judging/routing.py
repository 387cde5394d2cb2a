"""Which comparisons a judge decides and which people decide, and what agreement that promises.

Unclear ones go to people: a low margin, orders that disagree, no verdict. Of what the judge keeps, a share drawn by the
seed is judged by people as well, who do not know it (a blind audit): only these tell how good the kept ones are.

Shapes: J comparisons.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from annotation.agreement.columns import Column, Floats
from annotation.judging.canonical import drawn_number
from annotation.judging.outcomes import Judged
from annotation.quality import Share, share

Reason = Literal["clear", "low_margin", "flipped", "no_verdict"]

_DRAWS = 2**32


@dataclass(frozen=True, kw_only=True)
class RoutingPolicy:
    """When people are asked. Raises ValueError for values outside 0 … 1."""

    min_margin: float = 0.0  # `Judged.margin` below it goes to people
    flipped_to_people: bool = True
    audit_share: float = 0.1  # of what the judge keeps
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("min_margin", "audit_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in 0–1, got {getattr(self, name)!r}")


@dataclass(frozen=True, kw_only=True)
class Route:
    """Who decides one comparison."""

    decided_by: Literal["judge", "people"]
    reason: Reason
    is_audited: bool  # kept by the judge, and people are asked without knowing

    @property
    def wants_people(self) -> bool:
        """Whether people judge it at all. Queues look at this alone, so that an audit cannot be told apart."""
        return self.decided_by == "people" or self.is_audited


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """What a least margin would come to."""

    min_margin: float
    kept: Share  # comparisons that the judge keeps, of all
    judge_agreement: Share  # of the kept ones
    expected_agreement: float | None  # of all, if people reach their own agreement on the rest


def route(policy: RoutingPolicy, comparison: Hashable, judged: Judged) -> Route:
    """Where a comparison goes; the same for the same seed, whatever else is judged."""
    reason = _reason(policy, judged)
    if reason != "clear":
        return Route(decided_by="people", reason=reason, is_audited=False)
    drawn = drawn_number("audit", policy.seed, str(comparison), below=_DRAWS) / _DRAWS
    return Route(decided_by="judge", reason=reason, is_audited=drawn < policy.audit_share)


def routing_curve(
    margins: Column,
    is_flipped: Column,
    agreement: Column,
    *,
    people_agreement: float | None = None,
    thresholds: Sequence[float] | None = None,
    flipped_to_people: bool = True,
) -> list[CurvePoint]:
    """Expected agreement at each least margin, from equally long columns with a row for each comparison.

    `agreement` (0 … 1) is that of the judge with people who judged the comparison: measure it on audited comparisons
    and on others in proportion, or the kept ones look better than they are. A margin of NaN is no verdict. Without
    `thresholds` every margin that occurs is one. `people_agreement` is that of people with each other.
    """
    margins_J = np.asarray(margins, dtype=np.float64)
    agreement_J = np.asarray(agreement, dtype=np.float64)
    is_keepable_J = ~np.isnan(margins_J)
    if flipped_to_people:
        is_keepable_J &= ~np.asarray(is_flipped, dtype=bool)
    if not len(margins_J) == len(agreement_J) == len(is_keepable_J):
        raise ValueError("margins, is_flipped and agreement must be equally long")
    known = np.unique(margins_J[~np.isnan(margins_J)]).tolist() if thresholds is None else list(thresholds)
    return [_point(least, margins_J, agreement_J, is_keepable_J, people_agreement) for least in known]


def least_margin_for(curve: Sequence[CurvePoint], wanted: float) -> tuple[float | None, str]:
    """The lowest margin from which the judge's agreement is `wanted` at the low end of its interval; else why none."""
    for point in sorted(curve, key=lambda point: point.min_margin):
        interval = point.judge_agreement.interval
        if interval is not None and interval[0] >= wanted:
            return point.min_margin, ""
    return None, f"at no margin is the agreement surely {wanted:g} or more: ask people, or measure more comparisons"


def _reason(policy: RoutingPolicy, judged: Judged) -> Reason:
    if judged.tiers is None and not judged.num_disagreeing:
        return "no_verdict"
    if judged.num_disagreeing and (policy.flipped_to_people or judged.tiers is None):
        return "flipped"
    if judged.answer is None:
        return "no_verdict"
    if (judged.margin or 0.0) < policy.min_margin:
        return "low_margin"
    return "clear"


def _point(
    least: float,
    margins_J: Floats,
    agreement_J: Floats,
    is_keepable_J: NDArray[np.bool_],
    people_agreement: float | None,
) -> CurvePoint:
    is_kept_J = is_keepable_J & (np.nan_to_num(margins_J, nan=-1.0) >= least)
    num_kept, size = int(is_kept_J.sum()), len(margins_J)
    kept = share(num_kept, size, nothing="nothing was judged")
    found = share(float(agreement_J[is_kept_J].sum()), num_kept, nothing="the judge keeps nothing at this margin")
    expected = None
    if people_agreement is not None and kept.value is not None:
        expected = kept.value * (found.value or 0.0) + (1 - kept.value) * people_agreement
    return CurvePoint(min_margin=float(least), kept=kept, judge_agreement=found, expected_agreement=expected)
