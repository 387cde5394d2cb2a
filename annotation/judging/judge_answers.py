"""The answer that the rounds of a judge come to, in the form in which `annotation.answers` stores it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from annotation.answers import AnswerRefused, parse_answer
from annotation.judging.calls import Item
from annotation.judging.outcomes import Probabilities
from annotation.judging.rounds import Points, Round, mean_points
from annotation.judging.spec import JudgeSpec
from annotation.tiers import Tiers


def answer_of(
    spec: JudgeSpec, item: Item, tiers: Tiers, rounds: Sequence[Round], soft: Probabilities | None
) -> tuple[dict[str, Any] | None, str]:
    """An answer that the question accepts, or why there is none."""
    question = item.question
    points = mean_points([found.points for found in rounds if found.points]) if rounds[0].points else None
    raw: dict[str, Any] = {}
    if question.kind != "rating":
        raw["tiers"] = _top(tiers, question.top_k) if question.top_k else tiers
    if question.rating_points and points is not None:
        low, high = span_of(spec)
        raw["ratings"] = [_rescaled(points[index], low, high, question.rating_points) for index in sorted(points)]
    if question.aspects:
        raw["aspects"] = _aspects(spec, item, rounds)
    if question.num_strengths > 1 and len(tiers) > 1:
        raw["strength"] = _strength(spec, tiers, rounds, soft, points, question.num_strengths)
    if question.rationale != "none":
        raw["rationale"] = _rationale(tiers, rounds)
    try:
        return parse_answer(raw, question=question, num_completions=len(item.texts)).to_json(), ""
    except AnswerRefused as error:
        return None, f"the question does not accept the verdict: {error}"


def _top(tiers: Tiers, top_k: int) -> Tiers:
    """The best tiers that hold `top_k` completions; more of them if a tie spans the limit, which is then refused."""
    kept: Tiers = []
    for tier in tiers:
        if sum(map(len, kept)) >= top_k:
            break
        kept.append(tier)
    return kept


def _rescaled(points: float, low: float, high: float, num_points: int) -> int:
    """The nearest of 1 … `num_points`; halves go up."""
    return 1 + math.floor((points - low) / (high - low) * (num_points - 1) + 0.5)


def _aspects(spec: JudgeSpec, item: Item, rounds: Sequence[Round]) -> dict[str, list[int]]:
    names = [aspect.name for aspect in spec.aspects]
    found = {}
    for name in item.question.aspects:
        points = mean_points([each.by_part[names.index(name)] for each in rounds])
        most = float(spec.aspect_points)
        found[name] = [_rescaled(points[index], 1.0, most, item.question.aspect_points) for index in sorted(points)]
    return found


def _strength(
    spec: JudgeSpec,
    tiers: Tiers,
    rounds: Sequence[Round],
    soft: Probabilities | None,
    points: Points | None,
    num_strengths: int,
) -> int:
    """The mean of the strengths that go with the outcome; else from the points or the probabilities."""
    said = [verdict.strength for found in rounds for verdict in found.verdicts if verdict.tiers == tiers]
    if given := [strength for strength in said if strength is not None]:
        return math.floor(fmean(given) + 0.5)
    if points is not None:
        low, high = span_of(spec)
        share = (max(points.values()) - min(points.values())) / (high - low)
    else:
        share = abs(soft.first - soft.second) if soft else 1.0
    return max(1, min(num_strengths, math.ceil(share * num_strengths - 1e-9)))


def _rationale(tiers: Tiers, rounds: Sequence[Round]) -> str:
    """The reasons of the first verdict that says what was decided; of verdicts on single replies, all of them."""
    verdicts = [verdict for found in rounds for verdict in found.verdicts if verdict.rationale]
    if any(verdict.points for verdict in verdicts):
        return "\n\n".join(verdict.rationale for verdict in verdicts)[:5_000]
    return next((verdict.rationale for verdict in verdicts if verdict.tiers == tiers), "")


def span_of(spec: JudgeSpec) -> tuple[float, float]:
    """The least and the most points that the protocol gives."""
    return {"aspects": (1.0, float(spec.aspect_points)), "checklist": (0.0, 1.0)}.get(
        spec.protocol, (1.0, float(spec.points))
    )
