"""A panel: the judgments of several judges about one comparison as one.

Source: P. Verga and others, "Replacing Judges with Juries" (2024, arXiv:2404.18796).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Literal

from annotation.answers import AnswerRefused, parse_answer
from annotation.judging.outcomes import Judged, Probabilities
from annotation.judging.protocols.pairwise import tiers_of
from annotation.judging.rounds import tiers_of_points
from annotation.question import Question
from annotation.tiers import Tiers

Method = Literal["vote", "mean"]


def combine_panel(
    judged: Sequence[Judged],
    *,
    question: Question,
    method: Method = "vote",
    weights: Sequence[float] | None = None,
    quorum: int = 0,
) -> Judged:
    """One judgment of the members that have an order; the others abstain.

    vote: of a pair the verdict with most weight (level: a tie), of more replies the order of their mean ranks. mean:
    of a pair the mean of the soft labels. `weights` default to equal ones; `quorum` is the least number of members
    with an order (0: more than half). What the question asks besides an order, a panel does not give. Raises
    ValueError for weights that do not fit.
    """
    if weights is not None and (len(weights) != len(judged) or any(weight <= 0 for weight in weights)):
        raise ValueError(f"a weight above 0 for each of {len(judged)} judges, got {list(weights)}")
    given = [
        (member, weight)
        for member, weight in zip(judged, weights or [1.0] * len(judged), strict=True)
        if member.tiers is not None
    ]
    totals = _totals(judged)
    wanted = quorum or len(judged) // 2 + 1
    if len(given) < wanted:
        reason = f"{len(given)} of {len(judged)} judges have a verdict, {wanted} are needed"
        return replace(totals, reason=reason)
    size = sum(map(len, given[0][0].tiers or []))
    probabilities = _probabilities(given, method) if size == 2 else None
    tiers = tiers_of(probabilities) if probabilities else tiers_of_points(_mean_ranks(given, size))
    margin = probabilities.margin if probabilities else None
    totals = replace(totals, tiers=tiers, probabilities=probabilities, margin=margin)
    try:
        answer = parse_answer({"tiers": tiers}, question=question, num_completions=size).to_json()
    except AnswerRefused as error:
        return replace(totals, reason=f"the question does not accept the panel's verdict: {error}")
    return replace(totals, answer=answer)


def _probabilities(given: Sequence[tuple[Judged, float]], method: Method) -> Probabilities:
    total = sum(weight for _, weight in given)
    sums = [0.0, 0.0, 0.0]
    for member, weight in given:
        soft = member.probabilities if method == "mean" else None
        shares = (soft.first, soft.tie, soft.second) if soft else _one_hot(member.tiers or [])
        sums = [before + weight * share / total for before, share in zip(sums, shares, strict=True)]
    return Probabilities(first=sums[0], tie=sums[1], second=sums[2])


def _one_hot(tiers: Tiers) -> tuple[float, float, float]:
    return (float(tiers == [[0], [1]]), float(len(tiers) == 1), float(tiers == [[1], [0]]))


def _mean_ranks(given: Sequence[tuple[Judged, float]], size: int) -> dict[int, float]:
    ranks = dict.fromkeys(range(size), 0.0)
    total = sum(weight for _, weight in given)
    for member, weight in given:
        above = 0
        for tier in member.tiers or []:
            for index in tier:
                ranks[index] -= weight / total * (above + fmean(range(len(tier))))
            above += len(tier)
    return ranks


def _totals(judged: Sequence[Judged]) -> Judged:
    """No judgment yet, with the counts of all members."""
    names = ("num_pairs", "num_disagreeing", "num_reversed", "num_calls", "num_unparsed", "num_refused")
    counts = {name: sum(getattr(member, name) for member in judged) for name in (*names, "num_truncated")}
    return Judged(answer=None, **counts)
