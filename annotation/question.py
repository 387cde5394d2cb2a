"""The question of a campaign: what annotators are asked, and which answers it accepts.

A question is stored as JSON (`to_json`) and read back with every field checked (`from_json`). To add a field: give it a
default that keeps stored questions valid and a rule in `annotation/question_rules.py`. Ready ones are in
`annotation/presets.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

from annotation.question_rules import QuestionInvalid, check_rules, check_types

__all__ = [
    "KINDS",
    "RATIONALES",
    "Kind",
    "Question",
    "QuestionInvalid",
    "demonstration",
    "pairwise",
    "ranking",
    "rating",
]

Kind = Literal["pairwise", "ranking", "rating", "demonstration"]
Rationale = Literal["none", "optional", "required", "sampled", "disputed"]
OnUnsafePreference = Literal["refuse", "flag"]

KINDS: tuple[str, ...] = get_args(Kind)
RATIONALES: tuple[str, ...] = get_args(Rationale)
THUMBS = 2  # rating_points of a thumb: 1 is down, 2 is up


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked about every comparison of a campaign.

    Raises QuestionInvalid on construction if the fields do not go together.
    """

    kind: Kind  # pairwise: which of two is better; ranking: best first; rating: points each; demonstration: write one
    title: str = "Which reply is better?"  # the sentence above the replies
    num_completions: int = 2  # replies in one comparison; always 2 for pairwise, usually 0 for demonstration
    num_strengths: int = 1  # degrees of "better": 1 asks for a side only, 4 is Llama 2's scale; pairwise only
    allows_ties: bool = True  # may two replies share a tier
    allows_both_bad: bool = False  # "both are bad": a tie that is kept apart from "equally good"; pairwise only
    allows_cant_judge: bool = True  # "I can't judge this": no order at all, which is not a tie
    top_k: int = 0  # ranking: order the best k only, the others are worse than these; 0 orders all
    allows_unranked: bool = False  # ranking: a tray of replies about which nothing is said
    rating_points: int = 0  # points per reply, 1 is worst: 0 asks for none, 2 is a thumb down or up
    aspects: tuple[str, ...] = ()  # each rated per reply, such as "helpfulness"
    aspect_points: int = 5  # points of every aspect, 1 is least
    asks_safety: bool = False  # is each reply safe or unsafe
    on_unsafe_preference: OnUnsafePreference = "refuse"  # when an unsafe reply is preferred over a safe one
    flags: tuple[str, ...] = ()  # marks for single replies, such as "hallucination"
    reasons: tuple[str, ...] = ()  # chips that say why, such as "clearer"
    rationale: Rationale = "none"  # free text that says why; sampled and disputed: required for some tasks
    rationale_share: float = 0.0  # sampled: the share of tasks that want one, above 0 and up to 1
    asks_spans: bool = False  # passages of a reply marked as good or bad
    asks_edit: bool = False  # the best reply may be improved

    def __post_init__(self) -> None:
        check_types(self, _TYPES)
        check_rules(self)

    @property
    def is_one_press(self) -> bool:
        """One key answers all that is asked: two replies and nothing about either of them alone."""
        extras = (self.rating_points, self.aspects, self.asks_safety, self.flags, self.reasons)
        return (
            self.kind == "pairwise" and self.rationale == "none" and not any((*extras, self.asks_spans, self.asks_edit))
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object with every field, defaults included, so that a stored question keeps its meaning."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, raw: object) -> Question:
        """The question that `to_json` wrote. Raises QuestionInvalid for unknown, missing or wrong fields."""
        if not isinstance(raw, Mapping):
            raise QuestionInvalid(f"a question is a JSON object, got {type(raw).__name__}")
        unknown = sorted(str(key) for key in set(raw) - {field.name for field in fields(cls)})
        if unknown:
            raise QuestionInvalid(f"unknown fields in the question: {', '.join(unknown)}")
        if "kind" not in raw:
            raise QuestionInvalid(f"kind is missing: one of {', '.join(KINDS)}", field="kind")
        values: dict[str, Any] = {name: tuple(item) if isinstance(item, list) else item for name, item in raw.items()}
        return cls(**values)


_TYPES = get_type_hints(Question)


def pairwise(**changes: Any) -> Question:
    """Which of two replies is better, ties allowed."""
    return Question(**{"kind": "pairwise", **changes})


def ranking(num_completions: int = 4, **changes: Any) -> Question:
    """All replies from best to worst, ties allowed."""
    title = "Rank the replies from best to worst."
    return Question(**{"kind": "ranking", "title": title, "num_completions": num_completions, **changes})


def rating(rating_points: int = 7, num_completions: int = 1, **changes: Any) -> Question:
    """Points for every reply, by itself."""
    fixed = {"kind": "rating", "num_completions": num_completions, "rating_points": rating_points}
    return Question(**{**fixed, "title": "How good is the reply?", **changes})


def demonstration(**changes: Any) -> Question:
    """Write the ideal reply; `num_completions` replies are shown for reference, usually none."""
    return Question(**{"kind": "demonstration", "title": "Write the ideal reply.", "num_completions": 0, **changes})
