"""The output of every aggregation: the tiers of each comparison, how sure they are, and why; and how pairs give them.

Shapes: C comparisons of N completions each, U units (two completions of one comparison).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.aggregation.judgments import Comparisons
from annotation.aggregation.newton import Floats, Integers

Booleans = NDArray[np.bool_]

NO_VOTES = "no judgment orders these completions"
ONE_COMPLETION = "one completion: there is nothing to order"
EVEN = "the votes are even, and the tie policy leaves even votes undecided"
LEVEL = "votes for and against balance, or all are ties: level, without a probability"

_SAME = 1e-9  # shares and scores that differ by less are equal but for rounding


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """The answer of one comparison. Where `tiers` or `confidence` is None, `reason` says why."""

    tiers: list[list[int]] | None  # of indices, best first, like a judgment's
    confidence: float | None  # 0–1: the probability of the least certain step between neighbours in the order
    posterior: dict[str, Any]  # JSON: "pairs" for all methods, utilities and standard errors for those that have them
    judgments: list[int]  # the rows that contributed
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Aggregation:
    """One method's answers, with what they rest on."""

    method: str
    parameters: dict[str, Any]  # as given, with the defaults
    consensus: dict[Any, Consensus]  # by comparison
    findings: dict[str, Any]  # JSON: what the method found out beside the answers, such as each annotator's skill


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Orders of C comparisons, and the steps between neighbours in them."""

    orders_CN: Integers  # indices, best first
    is_down_CN: Booleans  # [C, N-1] the next one is worse; otherwise level
    confidences_C: Floats  # not a number: none
    reasons: list[str | None]  # C
    is_known_C: Booleans  # otherwise there are no tiers


def conclude_by_pairs(
    comparisons: Comparisons,
    probabilities_U3: Floats,
    judgments: list[list[int]],
    *,
    decided_U3: Floats | None = None,
    is_even_undecided: bool = False,
) -> dict[Hashable, Consensus]:
    """Each comparison's consensus from P(first better), P(tie), P(second better) of its units (all 0: not judged).

    `decided_U3` orders instead, where it is given, but is not shown. `judgments` has the rows of each comparison.
    """
    consensus = without_order(comparisons)
    for size, chosen_C in groups_of_size(comparisons):
        shown = pair_matrices(comparisons, chosen_C, size, probabilities_U3)
        decided = shown if decided_U3 is None else pair_matrices(comparisons, chosen_C, size, decided_U3)
        steps = order_by_pairs(decided, is_even_undecided=is_even_undecided)
        concluded = conclude(steps, pair_posteriors(shown), [judgments[number] for number in chosen_C.tolist()])
        consensus |= {comparisons.ids[number]: one for number, one in zip(chosen_C.tolist(), concluded, strict=True)}
    return consensus


def groups_of_size(comparisons: Comparisons) -> Iterator[tuple[int, Integers]]:
    """Each number of completions, 2 or more, with the comparisons that have so many."""
    for size in np.unique(comparisons.sizes_C).tolist():
        if size >= 2:
            yield size, np.flatnonzero(comparisons.sizes_C == size)


def pair_matrices(comparisons: Comparisons, chosen_C: Integers, size: int, probabilities_U3: Floats) -> Floats:
    """P(i is better), P(tie), P(j is better) [C, N, N, 3] of every two completions i, j of the chosen comparisons."""
    first, second = np.triu_indices(size, k=1)
    units_CU = comparisons.unit_starts_C[chosen_C][:, None] + np.arange(len(first))
    matrices = np.zeros((len(chosen_C), size, size, 3))
    matrices[:, first, second] = probabilities_U3[units_CU]
    matrices[:, second, first] = probabilities_U3[units_CU][..., ::-1]
    return matrices


def order_by_pairs(matrices_CNN3: Floats, *, is_even_undecided: bool) -> Steps:
    """The order by expected wins over the others, a tie half a win (Copeland's score on probabilities).

    Neighbours are level if a tie is the likeliest of the three, if no outcome is the likeliest, or if their scores are
    equal although one of them is the likelier winner, as in a circle. Pairs that nobody judged (all three 0) count half
    a win; between neighbours they leave the comparison without tiers.
    """
    is_judged_CNN = matrices_CNN3.sum(axis=3) > 0
    wins_CNN = np.where(is_judged_CNN, matrices_CNN3[..., 0] + matrices_CNN3[..., 1] / 2, 0.5)
    scores_CN = wins_CNN.sum(axis=2) - 0.5  # without the completion itself
    orders_CN = np.argsort(-scores_CN.round(9), axis=1, kind="stable")
    rows = np.arange(len(orders_CN))[:, None]
    upper, lower = orders_CN[:, :-1], orders_CN[:, 1:]
    steps_CN3 = matrices_CNN3[rows, upper, lower]
    falls_CN = np.take_along_axis(scores_CN, upper, 1) - np.take_along_axis(scores_CN, lower, 1) > _SAME
    best_CN = steps_CN3.max(axis=2)
    is_even_CN = (steps_CN3 > best_CN[..., None] - _SAME).sum(axis=2) > 1
    is_down_CN = falls_CN & ~is_even_CN & (steps_CN3[..., 1] < best_CN)
    confidences_CN = np.where(is_down_CN, steps_CN3[..., 0], np.where(is_even_CN, best_CN, steps_CN3[..., 1]))
    is_step_judged_CN = is_judged_CNN[rows, upper, lower]
    is_circle_CN = ~falls_CN & (steps_CN3[..., 1] < best_CN)
    is_even_C = (is_even_CN | is_circle_CN).any(axis=1) & is_even_undecided
    is_known_C = is_step_judged_CN.all(axis=1) & ~is_even_C
    return Steps(
        orders_CN=orders_CN,
        is_down_CN=is_down_CN,
        confidences_C=np.where(is_known_C, confidences_CN.min(axis=1), np.nan),
        reasons=[
            None if is_known else _why_unknown(step, judged, order)
            for is_known, step, judged, order in zip(
                is_known_C, is_step_judged_CN, is_judged_CNN.any(axis=(1, 2)), orders_CN, strict=True
            )
        ],
        is_known_C=is_known_C,
    )


def tiers_of(order: list[int], is_down: list[bool]) -> list[list[int]]:
    """The tiers of an order, which begin where the next one is worse."""
    tiers = [[order[0]]]
    for index, starts_tier in zip(order[1:], is_down, strict=True):
        if starts_tier:
            tiers.append([index])
        else:
            tiers[-1].append(index)
    return [sorted(tier) for tier in tiers]


def conclude(steps: Steps, posteriors: list[dict[str, Any]], judgments: list[list[int]]) -> list[Consensus]:
    """A consensus for each comparison, from its steps, its posterior and the rows that contributed."""
    confidences = [None if np.isnan(number) else number for number in steps.confidences_C.tolist()]
    columns = zip(
        steps.orders_CN.tolist(),
        steps.is_down_CN.tolist(),
        steps.is_known_C.tolist(),
        confidences,
        posteriors,
        judgments,
        steps.reasons,
        strict=True,
    )
    return [
        Consensus(
            tiers=tiers_of(order, is_down) if is_known else None,
            confidence=confidence,
            posterior=posterior,
            judgments=rows,
            reason=reason,
        )
        for order, is_down, is_known, confidence, posterior, rows, reason in columns
    ]


def pair_posteriors(matrices_CNN3: Floats) -> list[dict[str, Any]]:
    """{"pairs": [{first, second, first_better, tie, second_better}]} of each comparison, without unjudged pairs."""
    first, second = np.triu_indices(matrices_CNN3.shape[1], k=1)
    names = list(zip(first.tolist(), second.tolist(), strict=True))
    cells_CU = matrices_CNN3[:, first, second].tolist()
    return [
        {
            "pairs": [
                {"first": i, "second": j, "first_better": better, "tie": tie, "second_better": worse}
                for (i, j), (better, tie, worse) in zip(names, cells, strict=True)
                if better or tie or worse
            ]
        }
        for cells in cells_CU
    ]


def rows_by(groups_J: Integers, num_groups: int) -> list[list[int]]:
    """The rows of each group, rising; a negative group is none."""
    order = np.argsort(groups_J, kind="stable")
    ends = np.searchsorted(groups_J[order], np.arange(-1, num_groups) + 1)
    rows = order.tolist()
    return [rows[start:end] for start, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]


def without_order(comparisons: Comparisons) -> dict[Hashable, Consensus]:
    """The comparisons of one completion, or none."""
    lone = [comparisons.ids[number] for number in np.flatnonzero(comparisons.sizes_C < 2).tolist()]
    return {
        name: Consensus(tiers=None, confidence=None, posterior={}, judgments=[], reason=ONE_COMPLETION) for name in lone
    }


def _why_unknown(is_step_judged_N: Booleans, is_any_judged: bool, order_N: Integers) -> str:
    if not is_any_judged:
        return NO_VOTES
    if is_step_judged_N.all():
        return EVEN
    place = int(np.argmin(is_step_judged_N))
    first, second = sorted(order_N[place : place + 2].tolist())
    return f"no judgment compares the neighbours {first} and {second}"
