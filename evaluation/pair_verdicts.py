"""From what a judge made of two completions to an outcome that a win rate can count, or to why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from annotation import judging, question
from annotation.judging import Judged, JudgeSpec, OrderAnswer
from annotation.judging.spec import Conflict
from annotation.models import JudgeCall
from annotation.tiers import Tiers
from evaluation.metrics import LOSS, TIE, WIN
from evaluation.models import EvaluationRun, JudgedPair

PAIRWISE = question.pairwise()  # what every evaluation asks: which is better, ties allowed
OURS, THEIRS = 0, 1  # indices of the completions of a pair
_GRAVEST = (  # of states that equally many requests of a pair ended in
    JudgedPair.State.FAILED,
    JudgedPair.State.REFUSED,
    JudgedPair.State.TRUNCATED,
    JudgedPair.State.UNPARSED,
)


def spec_in_both_orders(spec: JudgeSpec, conflict: str) -> JudgeSpec:
    """The judge as an evaluation uses it: every pair in both orders, under the run's own conflict policy."""
    return replace(spec, orders="both", conflict=cast(Conflict, conflict))


def outcome_of_tiers(tiers: Tiers) -> float:
    """1 where ours is better, ½ where both are level, 0 where the baseline's is."""
    if len(tiers) == 1:
        return TIE
    return WIN if tiers[0] == [OURS] else LOSS


def outcome_of(judged: Judged, conflict: str) -> float | None:
    """The outcome of a pair; None where the judge has none under this policy."""
    if judged.tiers is not None:
        return outcome_of_tiers(judged.tiers)
    if conflict == EvaluationRun.Conflict.KEEP_BOTH and judged.flipped:
        return sum(outcome_of_tiers(order.tiers) for order in judged.by_order) / len(judged.by_order)
    return None


def state_of(judged: Judged, outcome: float | None, calls: Iterable[JudgeCall]) -> JudgedPair.State:
    """How a pair ended; without an outcome, as most of its requests without a verdict did."""
    if outcome is not None:
        return JudgedPair.State.JUDGED
    if judged.flipped:
        return JudgedPair.State.CONFLICT
    counts = Counter(_endings(calls))
    return max(_GRAVEST, key=lambda state: (counts[state.value], -_GRAVEST.index(state)))


def _endings(calls: Iterable[JudgeCall]) -> list[str]:
    """Of each request without a verdict, how its last attempt was read. `calls` are in the order they were made."""
    last: dict[tuple[object, ...], str] = {}
    for row in calls:
        call = judging.JudgeCall.from_json(row.call)
        place = (call.round, call.part, call.sample, call.display_order)
        if last.get(place) != JudgeCall.Outcome.VERDICT:
            last[place] = row.outcome
    return [outcome for outcome in last.values() if outcome != JudgeCall.Outcome.VERDICT]


def took_first(order: OrderAnswer) -> float | None:
    """1 where the completion shown first won, 0 where the other did, None for a tie."""
    if len(order.tiers) == 1:
        return None
    return float(order.tiers[0] == [order.display_order[0]])
