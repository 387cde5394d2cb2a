"""Answers that managers read and write: in words, and from the small form of adjudication and gold pages.

Letters name completions by their index: A is the completion 0, whatever annotators were shown.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from annotation.question import Question

LETTERS = "ABCDEFGHI"


def in_words(answer: Mapping[str, Any] | None) -> str:
    """A canonical answer as "A is better, strength 2", "B > A = C" and the like."""
    if not answer:
        return "nothing"
    if answer.get("cant_judge"):
        return "can’t judge"
    if answer.get("both_bad"):
        return "both are bad"
    order = order_in_words(answer.get("tiers"), answer.get("unranked"))
    if answer.get("ratings"):
        points = ", ".join(f"{LETTERS[place]} {value or '–'}" for place, value in enumerate(answer["ratings"]))
        order = points if len(answer["ratings"]) == 1 or not order else f"{order} ({points})"
    return f"{order}, strength {answer['strength']}" if answer.get("strength") else order


def order_in_words(tiers: Any, unranked: Any = None) -> str:
    """Tiers as "A is better" for two completions, otherwise as "B > A = C"."""
    if not tiers:
        return "no order"
    named = [[LETTERS[index] for index in tier] for tier in tiers]
    if sum(map(len, named)) == 2 and not unranked:
        return "tied" if len(named) == 1 else f"{named[0][0]} is better"
    order = " > ".join(" = ".join(tier) for tier in named)
    rest = ", ".join(LETTERS[index] for index in unranked or [])
    return f"{order}; {rest} not ranked" if rest else order


def answer_from_form(posted: Mapping[str, str], question: Question) -> dict[str, Any]:
    """The answer in a posted decision form. Malformed fields are left out: the service says what is missing."""
    answer: dict[str, Any] = {}
    if question.kind == "pairwise":
        answer = _object(posted.get("answer", ""))
    elif question.kind == "ranking":
        answer = _ranked(posted, question)
    else:
        answer = {"ratings": [_number(posted.get(f"rating_{index}", "")) for index in range(question.num_completions)]}
    if rationale := posted.get("rationale", "").strip():
        answer["rationale"] = rationale[:5000]
    return answer


def _ranked(posted: Mapping[str, str], question: Question) -> dict[str, Any]:
    """Equal ranks are a tie; a completion without a rank is not ranked."""
    by_rank: dict[int, list[int]] = defaultdict(list)
    unranked = []
    for index in range(question.num_completions):
        rank = _number(posted.get(f"rank_{index}", ""))
        if rank is None:
            unranked.append(index)
        else:
            by_rank[rank].append(index)
    answer: dict[str, Any] = {"tiers": [by_rank[rank] for rank in sorted(by_rank)]}
    return {**answer, "unranked": unranked} if unranked else answer


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 4 else None
