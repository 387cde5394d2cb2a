"""The figures of a win rate by an LLM judge: the rate itself, what has no verdict, flips, position and length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from annotation.judge_verdicts import restored
from evaluation import metrics
from evaluation.measured import Measured
from evaluation.metrics import TIE, Score
from evaluation.models import EvaluationRun, JudgedPair
from evaluation.pair_verdicts import took_first
from generation.models import LanguageModel

State = JudgedPair.State
WITHOUT_VERDICT = (State.UNPARSED, State.REFUSED, State.TRUNCATED, State.FAILED)
_CONFLICTS = {
    "tie": "orders that disagree count as a tie",
    "abstain": "pairs whose orders disagree are left out",
    "keep_both": "each order counts half",
    "mean": "orders that disagree are settled by their mean",
}


def measured(run: EvaluationRun, subject: LanguageModel) -> list[Measured]:
    """Every figure of one subject; all but the win rate are left out where they have no interval."""
    pairs = list(run.pairs.filter(subject=subject).select_related("ours", "theirs").order_by("pk"))
    win_rate = Measured(model=subject, metric="win_rate", **_win_rate(run, pairs))
    others = {
        "no_verdict_rate": _no_verdict_rate(run, pairs),
        "flip_rate": _flip_rate(run, pairs),
        "first_place_rate": _first_place_rate(run, pairs),
        "longer_preferred": _longer_preferred(run, pairs),
    }
    return [
        win_rate,
        *(
            Measured(model=subject, metric=metric, **found)
            for metric, found in others.items()
            if found["score"].interval is not None
        ),
    ]


def num_in_each_state(pairs: Sequence[JudgedPair]) -> dict[str, int]:
    """How many pairs ended without an outcome, by why."""
    counts = Counter(pair.state for pair in pairs)
    return {state.value: counts[state.value] for state in (State.CONFLICT, *WITHOUT_VERDICT)}


def _win_rate(run: EvaluationRun, pairs: Sequence[JudgedPair]) -> dict[str, Any]:
    told = [(pair, pair.outcome) for pair in pairs if pair.outcome is not None]
    outcomes = [outcome for _, outcome in told]
    score = metrics.win_rate(outcomes, [pair.ours.prompt_id for pair, _ in told], seed=run.seed)
    details = {
        "wins": sum(outcome > TIE for outcome in outcomes),
        "losses": sum(outcome < TIE for outcome in outcomes),
        **num_in_each_state(pairs),
        "tie_policy": "a tie counts half",
        "conflict_policy": _CONFLICTS[run.conflict],
        "without_verdict": "left out of the rate and counted",
    }
    return {"score": score, "details": details}


def _no_verdict_rate(run: EvaluationRun, pairs: Sequence[JudgedPair]) -> dict[str, Any]:
    values = [float(pair.state in WITHOUT_VERDICT) for pair in pairs]
    counts = num_in_each_state(pairs)
    details = {state.value: counts[state.value] for state in WITHOUT_VERDICT}
    return {"score": _rate(run, values, [pair.ours.prompt_id for pair in pairs]), "details": details}


def _flip_rate(run: EvaluationRun, pairs: Sequence[JudgedPair]) -> dict[str, Any]:
    """Of the pairs that have a verdict in both orders."""
    told = [pair for pair in pairs if pair.is_flipped is not None]
    score = _rate(run, [float(bool(pair.is_flipped)) for pair in told], [pair.ours.prompt_id for pair in told])
    num_reversed = sum(pair.details.get("num_reversed", 0) for pair in told)
    num_flipped = sum(bool(pair.is_flipped) for pair in told)
    details = {"opposite_sides": num_reversed, "a_tie_in_one_order": num_flipped - num_reversed}
    return {"score": score, "details": details}


def _first_place_rate(run: EvaluationRun, pairs: Sequence[JudgedPair]) -> dict[str, Any]:
    """Of the strict verdicts of single orders: how often the completion shown first won. A half without a bias."""
    told = [pair for pair in pairs if pair.is_flipped is not None]  # in both orders, so that sides are balanced
    values, prompts = [], []
    for pair in told:
        for order in restored(pair.details).by_order:
            if (value := took_first(order)) is not None:
                values.append(value)
                prompts.append(pair.ours.prompt_id)
    return {"score": _rate(run, values, prompts), "details": {}}


def _longer_preferred(run: EvaluationRun, pairs: Sequence[JudgedPair]) -> dict[str, Any]:
    """Of the pairs with a winner and different lengths: how often the longer completion won."""
    values, prompts = [], []
    for pair in pairs:
        longer = len(pair.ours.text) - len(pair.theirs.text)
        if pair.outcome is not None and pair.outcome != TIE and longer:
            values.append(float((pair.outcome > TIE) == (longer > 0)))
            prompts.append(pair.ours.prompt_id)
    details = {
        "mean_characters": _mean_length([pair.ours.text for pair in pairs]),
        "mean_characters_of_the_baseline": _mean_length([pair.theirs.text for pair in pairs]),
    }
    return {"score": _rate(run, values, prompts), "details": details}


def _rate(run: EvaluationRun, values: Sequence[float], prompts: Sequence[Hashable]) -> Score:
    return metrics.rate(values, prompts, seed=run.seed)


def _mean_length(texts: Sequence[str]) -> float:
    return round(sum(map(len, texts)) / len(texts), 1) if texts else 0.0
