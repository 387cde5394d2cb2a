"""The question of a campaign: what annotators are asked, and which answers it accepts.

A question is stored as JSON (`to_json`) and read back with every field checked (`from_json`). To add a field:
give it a default that keeps stored questions valid, a line in `_check`, and a new type an entry in `_TYPES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Kind = Literal["pairwise", "ranking"]

KINDS: tuple[str, ...] = get_args(Kind)
MAX_STRENGTHS = 7
MIN_COMPLETIONS, MAX_COMPLETIONS = 2, 9
MAX_TITLE_CHARACTERS = 500

_TYPES: dict[str, type] = {"str": str, "int": int, "bool": bool, "Kind": str}


class QuestionInvalid(ValueError):
    """A question breaks one of its own rules; the message names the field, what it should be and is."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked about every comparison of a campaign.

    Raises QuestionInvalid on construction if the fields do not go together.
    """

    kind: Kind  # pairwise: which of two replies is better; ranking: all replies, best first
    title: str = "Which reply is better?"  # the sentence above the replies
    num_completions: int = 2  # replies in one comparison; always 2 for pairwise
    num_strengths: int = 1  # degrees of "better": 1 asks for a side only, 4 is Llama 2's scale; pairwise only
    allows_ties: bool = True  # may two replies share a tier
    allows_both_bad: bool = False  # "both are bad": a tie that is kept apart from "equally good"; pairwise only
    allows_cant_judge: bool = True  # "I can't judge this": no order at all, which is not a tie

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_type(field.name, str(field.type), getattr(self, field.name))
        _check(self)

    def to_json(self) -> dict[str, Any]:
        """A JSON object with every field, defaults included, so that a stored question keeps its meaning."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: object) -> Question:
        """The question that `to_json` wrote. Raises QuestionInvalid for unknown, missing or wrong fields."""
        if not isinstance(raw, Mapping):
            raise QuestionInvalid(f"a question is a JSON object, got {type(raw).__name__}")
        unknown = sorted(str(key) for key in set(raw) - {field.name for field in fields(cls)})
        if unknown:
            raise QuestionInvalid(f"unknown fields in the question: {', '.join(unknown)}")
        if "kind" not in raw:
            raise QuestionInvalid(f"kind is missing: one of {', '.join(KINDS)}")
        return cls(**raw)


def pairwise(**changes: Any) -> Question:
    """Which of two replies is better, ties allowed."""
    return Question(**{"kind": "pairwise", **changes})


def ranking(num_completions: int = 4, **changes: Any) -> Question:
    """All replies from best to worst, ties allowed."""
    title = "Rank the replies from best to worst."
    return Question(**{"kind": "ranking", "title": title, "num_completions": num_completions, **changes})


def _check_type(name: str, expected: str, value: object) -> None:
    kind = _TYPES[expected]
    is_right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if not is_right:
        raise QuestionInvalid(f"{name} must be {kind.__name__}, got {value!r}")


def _check(question: Question) -> None:
    if question.kind not in KINDS:
        raise QuestionInvalid(f"kind must be one of {', '.join(KINDS)}, got {question.kind!r}")
    if not question.title.strip() or len(question.title) > MAX_TITLE_CHARACTERS:
        raise QuestionInvalid(f"title must have 1–{MAX_TITLE_CHARACTERS} characters, got {len(question.title)}")
    if not MIN_COMPLETIONS <= question.num_completions <= MAX_COMPLETIONS:
        raise QuestionInvalid(
            f"num_completions must lie in {MIN_COMPLETIONS}–{MAX_COMPLETIONS}, got {question.num_completions}"
        )
    if not 1 <= question.num_strengths <= MAX_STRENGTHS:
        raise QuestionInvalid(f"num_strengths must lie in 1–{MAX_STRENGTHS}, got {question.num_strengths}")
    if question.kind == "pairwise":
        _check_pairwise(question)
    else:
        _check_ranking(question)


def _check_pairwise(question: Question) -> None:
    if question.num_completions != 2:
        raise QuestionInvalid(f"a pairwise question compares 2 completions, got {question.num_completions}")


def _check_ranking(question: Question) -> None:
    if question.num_strengths != 1:
        raise QuestionInvalid(f"a ranking has no strengths: num_strengths must be 1, got {question.num_strengths}")
    if question.allows_both_bad:
        raise QuestionInvalid("a ranking has no 'both bad': allows_both_bad must be false")
