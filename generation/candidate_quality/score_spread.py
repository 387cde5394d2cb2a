"""How far scores set the candidates of one prompt apart, and which of them to compare because of it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import tanh
from statistics import fmean, pvariance
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The best and the worst of some scored candidates, by their places."""

    best: int
    worst: int
    gap: float


def spread_of(scores: Sequence[float]) -> Spread | None:
    """The places of the highest and the lowest score, the first of equals; None if no two scores differ."""
    if len(scores) < 2 or max(scores) == min(scores):
        return None
    best, worst = max(scores), min(scores)
    return Spread(best=scores.index(best), worst=scores.index(worst), gap=best - worst)


def widest_first(groups: Iterable[Sequence[T]], scores: Mapping[T, float]) -> list[Sequence[T]]:
    """Groups of candidates whose scores lie farthest apart come first; of pairs that is the best with the worst.

    Of groups that reach equally far, the one whose closest two are farther apart comes first: best, worst and what
    lies in the middle. Groups with a candidate that has no score are left out.
    """
    return sorted(_scored(groups, scores), key=lambda group: _gaps(group, scores), reverse=True)


def closest_first(groups: Iterable[Sequence[T]], scores: Mapping[T, float]) -> list[Sequence[T]]:
    """The other way round: what the scores can hardly tell apart comes first."""
    return sorted(_scored(groups, scores), key=lambda group: _gaps(group, scores))


def most_disputed_first(groups: Iterable[Sequence[T]], members: Mapping[T, Sequence[float]]) -> list[Sequence[T]]:
    """Groups about whose order the members of an ensemble disagree most come first: query by committee.

    `members` are the scores of each, the same members in the same order. Groups with a candidate that has none are
    left out. Seung et al. (1992); of preferences Christiano et al. (2017).
    """
    return sorted(_scored(groups, members), key=lambda group: disagreement(group, members), reverse=True)


def disagreement(group: Sequence[T], members: Mapping[T, Sequence[float]]) -> float:
    """Variance over the members of the probability that one beats the other, at most 1/4; the mean over all pairs.

    The probability is that of Bradley and Terry, so a member that is sure of the order does not become surer by a
    larger lead, and what a member adds to all scores of a prompt does not count.
    """
    return fmean(
        pvariance([_probability(one - other) for one, other in zip(members[first], members[second], strict=True)])
        for first, second in combinations(group, 2)
    )


def _probability(margin: float) -> float:
    """s(d) = 1 / (1 + e^-d), without overflow."""
    return (1 + tanh(margin / 2)) / 2


def _scored(groups: Iterable[Sequence[T]], scores: Mapping[T, object]) -> list[Sequence[T]]:
    return [group for group in groups if all(one in scores for one in group)]


def _gaps(group: Sequence[T], scores: Mapping[T, float]) -> tuple[float, float]:
    """From the lowest score to the highest, and the smallest one between two that follow each other."""
    ordered = sorted(scores[one] for one in group)
    steps = [higher - lower for lower, higher in pairwise(ordered)]
    return ordered[-1] - ordered[0], min(steps, default=0.0)
