"""From the verdicts about one comparison to one judgment: rounds, and what happens where they disagree.

Shapes: K completions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from annotation.judging.calls import Item, JudgeCall
from annotation.judging.judge_answers import answer_of, span_of
from annotation.judging.outcomes import Judged, OrderAnswer, Outcome, Probabilities, Refused, Truncated, Unparsed
from annotation.judging.planning import num_orders
from annotation.judging.protocols.pairwise import tiers_of
from annotation.judging.rounds import (
    Points,
    Round,
    frozen,
    groups_of,
    mean_points,
    mean_probabilities,
    mean_ranks,
    pair_signs,
    round_of,
    tiers_of_points,
)
from annotation.judging.spec import JudgeSpec
from annotation.tiers import Tiers

_CONFLICT = "the two orders disagree"


def combine(spec: JudgeSpec, item: Item, outcomes: Sequence[tuple[JudgeCall, Outcome]]) -> Judged:
    """One judgment from the outcomes of the calls of `plan` and of their retries, in any order."""
    counts = _counts([outcome for _, outcome in outcomes])
    rounds = [found for round in range(num_orders(spec)) if (found := round_of(spec, item, groups_of(round, outcomes)))]
    if len(rounds) < num_orders(spec):
        return Judged(answer=None, reason=_why_incomplete(counts), **_orders(spec, item, rounds), **counts)
    soft = mean_probabilities([found.soft for found in rounds])
    common = {
        **_orders(spec, item, rounds),
        **counts,
        "probabilities": soft,
        "scores": scores_of(rounds, len(item.texts)),
    }
    common["margin"] = _margin(spec, rounds, soft, len(item.texts))
    if common.get("num_disagreeing") and spec.conflict in ("abstain", "keep_both"):
        can_say_so = spec.conflict == "abstain" and item.question.allows_cant_judge
        return Judged(answer={"cant_judge": True} if can_say_so else None, reason=_CONFLICT, **common)
    tiers = _settled(spec, rounds, len(item.texts))
    answer, reason = answer_of(spec, item, tiers, rounds, soft)
    if answer and item.question.kind == "rating":
        tiers = answer["tiers"]  # those of the mean points
    return Judged(answer=answer, reason=reason, tiers=tiers, **common)


def _settled(spec: JudgeSpec, rounds: Sequence[Round], size: int) -> Tiers:
    """One order of the replies from those of the rounds, by the conflict policy where they disagree."""
    if len(rounds) == 1 or len({frozen(found.tiers) for found in rounds}) == 1:
        return rounds[0].tiers
    if spec.conflict == "mean" and rounds[0].decided:
        return tiers_of(_sure(mean_probabilities([found.decided for found in rounds])), spec.tie_margin)
    if spec.conflict == "mean" and rounds[0].points is not None:
        return tiers_of_points(mean_points([found.points or {} for found in rounds]), spec.tie_margin)
    ranks = mean_ranks([found.tiers for found in rounds], size)
    return tiers_of_points(ranks) if spec.conflict == "mean" else _merged(ranks, rounds)


def _merged(ranks: Points, rounds: Sequence[Round]) -> Tiers:
    """Tiers by mean rank, joined wherever the rounds disagree on a reply of one and a reply of another."""
    signs = [pair_signs(found.tiers) for found in rounds]
    conflicts = {pair for pair in signs[0] if any(other[pair] != signs[0][pair] for other in signs[1:])}
    order = sorted(ranks, key=lambda index: (-ranks[index], index))
    place = {index: number for number, index in enumerate(order)}
    is_joined = [ranks[order[cut]] == ranks[order[cut + 1]] for cut in range(len(order) - 1)]
    for first, second in conflicts:
        low, high = sorted((place[first], place[second]))
        for cut in range(low, high):
            is_joined[cut] = True
    tiers = [[order[0]]]
    for cut, index in enumerate(order[1:]):
        if is_joined[cut]:
            tiers[-1].append(index)
        else:
            tiers.append([index])
    return [sorted(tier) for tier in tiers]


def _orders(spec: JudgeSpec, item: Item, rounds: Sequence[Round]) -> dict[str, Any]:
    """What each order says by itself, and how many pairs they disagree on."""
    by_order = tuple(
        OrderAnswer(
            display_order=found.display_order,
            answer=answer_of(spec, item, found.tiers, [found], found.soft)[0],
            tiers=found.tiers,
        )
        for found in rounds
    )
    if len(rounds) < 2:
        return {"by_order": by_order}
    first, second = (pair_signs(found.tiers) for found in rounds)
    return {
        "by_order": by_order,
        "num_pairs": len(first),
        "num_disagreeing": sum(first[pair] != second[pair] for pair in first),
        "num_reversed": sum(first[pair] * second[pair] < 0 for pair in first),
    }


def scores_of(rounds: Sequence[Round], size: int) -> tuple[float, ...] | None:
    if any(found.points is None for found in rounds):
        return None
    points = mean_points([found.points or {} for found in rounds])
    return tuple(points[index] for index in range(size))


def _margin(spec: JudgeSpec, rounds: Sequence[Round], soft: Probabilities | None, size: int) -> float | None:
    """Of a pair the lead of the likeliest verdict; of points the smallest step over the scale; else of the votes."""
    if size < 2:
        return None
    if soft is not None:
        return soft.margin
    if (scores := scores_of(rounds, size)) is not None:
        low, high = span_of(spec)
        ordered = sorted(scores)
        return min(after - before for before, after in pairwise(ordered)) / (high - low)
    votes = [pair_signs(verdict.tiers or []) for found in rounds for verdict in found.verdicts]
    return min(_lead([signs[pair] for signs in votes]) for pair in votes[0])


def _lead(values: Sequence[int]) -> float:
    """The share of the most frequent value minus that of the next one."""
    counts = [*sorted(Counter(values).values(), reverse=True), 0]
    return (counts[0] - counts[1]) / len(values)


def _sure(probabilities: Probabilities | None) -> Probabilities:
    return probabilities or Probabilities(first=0.0, tie=1.0, second=0.0)


def _counts(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "num_calls": len(outcomes),
        "num_unparsed": sum(isinstance(outcome, Unparsed) for outcome in outcomes),
        "num_refused": sum(isinstance(outcome, Refused) for outcome in outcomes),
        "num_truncated": sum(isinstance(outcome, Truncated) for outcome in outcomes),
    }


def _why_incomplete(counts: Mapping[str, Any]) -> str:
    names = ("unparsed", "refused", "truncated")
    failures = [f"{counts[f'num_{name}']} {name}" for name in names if counts[f"num_{name}"]]
    said = ", ".join(failures) or "some were never made"
    return f"too few of {counts['num_calls']} calls have a verdict: {said}"
