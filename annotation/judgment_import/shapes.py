"""The question that imported answers answer: nobody wrote it down, so it is what all of them together say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Self

from annotation.question import Question
from annotation.question_rules import MAX_LABELS

STRENGTH_SCALES, POINT_SCALES = (1, 4, 7), (0, 2, 5, 7, 10)  # the smallest that holds what was said
TITLES = {
    "pairwise": "Which reply is better?",
    "ranking": "Rank the replies from best to worst.",
    "rating": "How good is the reply?",
    "demonstration": "Write the ideal reply.",
}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What answers hold, of one or of many."""

    num_completions: int = 0
    has_order: bool = False  # an order that was given as such
    strength: int = 1
    has_both_bad: bool = False
    has_unranked: bool = False
    top_k: int = 0
    rating: int = 0
    aspects: tuple[str, ...] = ()
    aspect: int = 0
    has_safety: bool = False
    flags: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    has_rationale: bool = False
    has_spans: bool = False
    has_edit: bool = False

    @classmethod
    def of_answer(cls, answer: Mapping[str, Any], num_completions: int) -> Self:
        """The shape of one answer as JSON; of one that is malformed it may be any."""
        tiers, unranked = answer.get("tiers"), answer.get("unranked")
        is_top = bool(answer.get("unranked_is_worse")) and isinstance(tiers, list) and isinstance(unranked, list)
        aspects = answer.get("aspects")
        aspects = aspects if isinstance(aspects, dict) else {}
        return cls(
            num_completions=num_completions,
            has_order=bool(tiers) or bool(answer.get("cant_judge")),
            strength=_largest([answer.get("strength")], least=1),
            has_both_bad=bool(answer.get("both_bad")),
            has_unranked=bool(unranked) and not is_top,
            top_k=num_completions - len(unranked) if is_top and isinstance(unranked, list) else 0,
            rating=_largest(answer.get("ratings")),
            aspects=tuple(map(str, aspects)),
            aspect=max((_largest(points) for points in aspects.values()), default=0),
            has_safety=bool(answer.get("safety")),
            flags=_words(label for labels in _list(answer.get("flags")) for label in _list(labels)),
            reasons=_words(_list(answer.get("reasons"))),
            has_rationale=bool(answer.get("rationale")),
            has_spans=bool(answer.get("spans")),
            has_edit=bool(answer.get("edited")),
        )

    @classmethod
    def of_question(cls, question: Question) -> Self:
        """What a question asks for."""
        return cls(
            num_completions=question.num_completions,
            has_order=question.kind != "rating",
            strength=question.num_strengths,
            has_both_bad=question.allows_both_bad,
            has_unranked=question.allows_unranked,
            top_k=question.top_k,
            rating=question.rating_points,
            aspects=question.aspects,
            aspect=question.aspect_points if question.aspects else 0,
            has_safety=question.asks_safety,
            flags=question.flags,
            reasons=question.reasons,
            has_rationale=question.rationale != "none",
            has_spans=question.asks_spans,
            has_edit=question.asks_edit,
        )

    def __or__(self, other: Self) -> Self:
        """The shape of both together."""
        joined: dict[str, Any] = {}
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            is_words = isinstance(mine, tuple)
            joined[field.name] = _words((*mine, *theirs))[:MAX_LABELS] if is_words else max(mine, theirs)
        return type(self)(**joined)

    def question(self) -> Question:
        """A question that accepts every answer of this shape. Raises `QuestionInvalid` for what no question asks."""
        kind = self._kind()
        is_pairwise, is_ranking = kind == "pairwise", kind == "ranking"
        top_k = self.top_k if is_ranking and self.top_k < self.num_completions and not self.has_unranked else 0
        return Question(
            kind=kind,  # type: ignore[arg-type] # one of the kinds
            title=TITLES[kind],
            num_completions=self.num_completions,
            num_strengths=_scale(self.strength, STRENGTH_SCALES) if is_pairwise else 1,
            allows_both_bad=self.has_both_bad and is_pairwise,
            allows_unranked=(self.has_unranked or (self.top_k > 0 and not top_k)) and is_ranking,
            top_k=top_k,
            rating_points=_scale(self.rating, POINT_SCALES),
            aspects=self.aspects,
            aspect_points=_scale(max(self.aspect, 5), POINT_SCALES),
            asks_safety=self.has_safety,
            on_unsafe_preference="flag",
            flags=self.flags,
            reasons=self.reasons,
            rationale="optional" if self.has_rationale else "none",
            asks_spans=self.has_spans,
            asks_edit=self.has_edit,
        )

    def _kind(self) -> str:
        if self.num_completions == 1 or not self.has_order:
            return "rating"
        return "pairwise" if self.num_completions == 2 and not self.has_unranked and not self.top_k else "ranking"


@lru_cache(maxsize=1024)
def question_of(shape: Shape) -> Question:
    """`shape.question()`, once for each shape."""
    return shape.question()


def _largest(values: object, *, least: int = 0) -> int:
    numbers = [value for value in _list(values) if isinstance(value, int) and not isinstance(value, bool)]
    return max([least, *numbers])


def _scale(value: int, scales: Iterable[int]) -> int:
    """The smallest scale that holds the value; the value itself if none does, which the question then refuses."""
    return next((scale for scale in scales if scale >= value), value)


def _words(labels: Iterable[object]) -> tuple[str, ...]:
    """Each label once, whatever its case, as it was first written."""
    found: dict[str, str] = {}
    for label in labels:
        found.setdefault(str(label).strip().casefold(), str(label).strip())
    return tuple(word for word in found.values() if word)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
