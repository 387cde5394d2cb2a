"""Answers in their one canonical form: tiers, and what else the question asks.

An index is always the completion's own, never its place on the page: `to_canonical` and `to_displayed` translate
everything that speaks of replies through the display order, in which `display_order[place]` is the index of the
completion shown there. `docs/reference/questions.md` lists the fields and the rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from annotation import answer_fields, answer_rules
from annotation.answer_fields import Edited, Safety, Span
from annotation.question import Question
from annotation.tiers import (
    AnswerRefused,
    OrderedPairs,
    Tiers,
    check_display_order,
    ordered_pairs,
    pairs_of,
    parse_tiers,
)

__all__ = [
    "Answer",
    "AnswerRefused",
    "Edited",
    "OrderedPairs",
    "Span",
    "Tiers",
    "check_display_order",
    "ordered_pairs",
    "pairs_of",
    "parse_answer",
    "parse_tiers",
    "to_canonical",
    "to_displayed",
]

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One judgment of one comparison, checked against its question. Lists by reply have one entry for each."""

    tiers: Tiers | None  # None with cant_judge and for demonstrations
    strength: int | None = None  # 1 (barely) to the question's num_strengths (by far); only with a preference
    both_bad: bool = False  # a tie, because neither is any good
    cant_judge: bool = False  # no opinion, which is not a tie
    unranked: list[int] = field(default_factory=list)  # in no tier, rising
    unranked_is_worse: bool = False  # outside a top k; otherwise nothing is said about the unranked
    ratings: list[int | None] | None = None  # points by reply, from 1
    aspects: dict[str, list[int | None]] | None = None  # points by reply, from 1
    safety: list[Safety | None] | None = None  # by reply
    flags: list[list[str]] | None = None  # by reply
    reasons: list[str] = field(default_factory=list)
    rationale: str = ""
    spans: list[Span] = field(default_factory=list)  # by reply and place
    edited: Edited | None = None
    demonstration: str = ""
    unsafe_preference: bool = False  # an unsafe reply stands above a safe one, and the question flags it

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `parse_answer` reads back; what does not apply is left out."""
        values = {name: getattr(self, name) for name in _FIELDS}
        values["spans"] = [span.to_json() for span in self.spans]
        values["edited"] = self.edited.to_json() if self.edited else None
        return {name: value for name, value in values.items() if value not in (None, False, "", [])}


_FIELDS = tuple(item.name for item in fields(Answer))


def parse_answer(
    raw: object,
    *,
    question: Question,
    num_completions: int,
    wants_rationale: bool | None = None,
    texts_lengths: Sequence[int] | None = None,
) -> Answer:
    """The answer in a JSON object. Raises AnswerRefused naming the rule that it breaks.

    `wants_rationale` is whether this very task demands one (None: if the question always does); `texts_lengths` are the
    characters of each reply in the order of which the answer speaks (None: spans are not held against the texts).
    """
    if not isinstance(raw, Mapping):
        raise AnswerRefused("not_an_object", f"an answer is a JSON object, got {type(raw).__name__}")
    unknown = sorted(str(key) for key in set(raw) - set(_FIELDS))
    if unknown:
        raise AnswerRefused("unknown_field", f"unknown fields in the answer: {', '.join(unknown)}")
    if num_completions != question.num_completions:
        raise AnswerRefused(
            "num_completions", f"the question is about {question.num_completions} completions, got {num_completions}"
        )
    remarks = _remarks(raw, question, texts_lengths)
    if answer_fields.read_flag(raw, "cant_judge"):
        answer_rules.check_cant_judge(raw, question)
        return Answer(tiers=None, cant_judge=True, **remarks)
    answer = Answer(**_verdict(raw, question), **remarks)
    return _checked(answer, question, wants_rationale)


def to_canonical(answer: Answer, display_order: Sequence[int]) -> Answer:
    """An answer about places on the page as one about completions."""
    check_display_order(display_order)
    return _renumbered(answer, display_order)


def to_displayed(answer: Answer, display_order: Sequence[int]) -> Answer:
    """An answer about completions as one about the places at which they are shown."""
    check_display_order(display_order)
    return _renumbered(answer, [display_order.index(index) for index in range(len(display_order))])


def _remarks(raw: Mapping[str, Any], question: Question, texts_lengths: Sequence[int] | None) -> dict[str, Any]:
    """What goes with every answer, with 'can't judge' as well."""
    answer_fields.read_flag(raw, "unranked_is_worse")  # these two are set here, whatever the sender says
    answer_fields.read_flag(raw, "unsafe_preference")
    return {
        "safety": answer_fields.read_safety(raw, question),
        "flags": answer_fields.read_flags(raw, question),
        "reasons": answer_fields.read_reasons(raw, question),
        "rationale": answer_fields.read_rationale(raw, question),
        "spans": answer_fields.read_spans(raw, question, texts_lengths),
    }


def _verdict(raw: Mapping[str, Any], question: Question) -> dict[str, Any]:
    """The order, and what is said about the replies beside it."""
    ratings = answer_fields.read_ratings(raw, question)
    unranked = answer_fields.read_unranked(raw)
    tiers: Tiers | None
    if question.kind == "demonstration":
        answer_rules.check_no_order(raw)
        tiers, unranked = None, []
    elif question.kind == "rating":
        tiers, unranked = answer_rules.tiers_of_ratings(ratings, raw, question), []
    else:
        tiers, unranked = answer_rules.ranked(raw, unranked, question)
    return {
        "tiers": tiers,
        "unranked": unranked,
        "unranked_is_worse": bool(unranked and question.top_k),
        "strength": raw.get("strength"),
        "both_bad": answer_fields.read_flag(raw, "both_bad"),
        "ratings": ratings,
        "aspects": answer_fields.read_aspects(raw, question),
        "edited": answer_fields.read_edited(raw, question),
        "demonstration": answer_fields.read_demonstration(raw, question),
    }


def _checked(answer: Answer, question: Question, wants_rationale: bool | None) -> Answer:
    answer_rules.check_order(answer, question)
    answer_rules.check_complete(answer, question)
    answer_rules.check_ratings_fit(answer)
    answer_rules.check_edited(answer)
    answer_rules.check_demonstration(answer, question)
    answer_rules.check_rationale(answer, question, wants_rationale)
    strength = answer.strength if question.num_strengths > 1 else None  # 1 of 1 says nothing
    return replace(answer, strength=strength, unsafe_preference=answer_rules.prefers_unsafe(answer, question))


def _renumbered(answer: Answer, numbers: Sequence[int]) -> Answer:
    """The same answer after completion i has got the number `numbers[i]`."""
    _check_fits(answer, len(numbers))
    spans = [replace(span, completion=numbers[span.completion]) for span in answer.spans]
    return replace(
        answer,
        tiers=answer.tiers and [sorted(numbers[index] for index in tier) for tier in answer.tiers],
        unranked=sorted(numbers[index] for index in answer.unranked),
        ratings=answer.ratings and _moved(answer.ratings, numbers),
        aspects=answer.aspects and {name: _moved(points, numbers) for name, points in answer.aspects.items()},
        safety=answer.safety and _moved(answer.safety, numbers),
        flags=answer.flags and _moved(answer.flags, numbers),
        spans=sorted(spans, key=lambda span: (span.completion, span.start)),
        edited=answer.edited and replace(answer.edited, completion=numbers[answer.edited.completion]),
    )


def _moved(values: Sequence[T], numbers: Sequence[int]) -> list[T]:
    by_number = dict(zip(numbers, values, strict=True))
    return [by_number[number] for number in range(len(numbers))]


def _check_fits(answer: Answer, num_places: int) -> None:
    """Raises AnswerRefused unless the answer is about as many completions as there are places."""
    by_reply = [answer.ratings, answer.safety, answer.flags, *(answer.aspects or {}).values()]
    sizes = {len(values) for values in by_reply if values is not None}
    if answer.tiers is not None:
        sizes.add(sum(map(len, answer.tiers)) + len(answer.unranked))
    named = [span.completion for span in answer.spans] + ([answer.edited.completion] if answer.edited else [])
    if sizes - {num_places} or any(index >= num_places for index in named):
        found = max([*sizes, *(index + 1 for index in named)])
        raise AnswerRefused("display_order", f"{num_places} places for {found} completions")
