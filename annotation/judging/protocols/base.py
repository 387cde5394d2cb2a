"""The seam of protocols: which requests an order needs, and what a reply to one of them says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from annotation.judging.calls import LETTERS, Item, JudgeCall, Reply
from annotation.judging.outcomes import Probabilities, Verdict
from annotation.judging.reply_text import ReadableText, without_hidden
from annotation.judging.spec import JudgeSpec, SpecInvalid
from annotation.judging.templates import Template
from annotation.question import Question

RATIONALE_CHARACTERS = 2_000


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request about completions in the order in which it shows them."""

    shown: tuple[int, ...]
    reply_form: str  # how to reply, in words
    values: Mapping[str, str] = field(default_factory=dict)  # of placeholders that only this protocol fills
    expects: Mapping[str, Any] = field(default_factory=dict)
    json_schema: Mapping[str, Any] | None = None
    choices: tuple[str, ...] = ()
    num_logprobs: int = 0
    part: int = 0


class JudgingProtocol(Protocol):
    """One way to ask a model for a judgment. Stateless."""

    @property
    def name(self) -> str: ...
    @property
    def template(self) -> Template:
        """Used unless the operator writes one."""

    @property
    def needs(self) -> frozenset[str]:
        """Placeholders that a template must have."""

    @property
    def max_new_tokens(self) -> int:
        """Enough for a reply."""

    @property
    def has_order(self) -> bool:
        """Whether a request shows several replies, so that their order can matter."""

    def check(self, spec: JudgeSpec) -> None:
        """Raises SpecInvalid if a parameter that the protocol needs is missing."""

    def why_not(self, spec: JudgeSpec, question: Question) -> str:
        """Why such a judge cannot answer the question; empty if it can."""

    def num_asks(self, spec: JudgeSpec, num_completions: int) -> int:
        """Requests for each order and sample."""

    def asks(self, spec: JudgeSpec, item: Item, display_order: tuple[int, ...], seed: int) -> list[Ask]:
        """The requests about one order."""

    def read(self, call: JudgeCall, found: ReadableText, reply: Reply) -> Verdict:
        """The verdict of a reply. Raises NoVerdict."""


def object_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON schema of an object with exactly these properties, in this order."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def letters_of(shown: Sequence[int]) -> str:
    """The names under which completions are shown: "AB", "ABCD"."""
    return LETTERS[: len(shown)]


def listed(letters: str) -> str:
    """ "A, B and C"."""
    return f"{', '.join(letters[:-1])} and {letters[-1]}" if len(letters) > 1 else letters


def pair_of(label: str, display_order: Sequence[int]) -> tuple[list[list[int]], Probabilities]:
    """Tiers and probabilities of the verdict "A", "B" or "tie" on two completions shown in that order."""
    if label == "tie":
        return [sorted(display_order)], Probabilities(first=0.0, tie=1.0, second=0.0)
    winner, loser = display_order if label == "A" else reversed(display_order)
    is_first = float(winner < loser)
    return [[winner], [loser]], Probabilities(first=is_first, tie=0.0, second=1 - is_first)


def why_not_asked(question: Question, *, gives: Sequence[str] = ()) -> str:
    """Why a judge that gives an order, and of the rest only what `gives` names, cannot answer; empty if it can."""
    if question.kind == "demonstration":
        return "it compares replies and writes none"
    if question.asks_safety:
        return "it does not say whether a reply is safe"
    missing = {
        "ratings": question.rating_points > 0,
        "aspects": bool(question.aspects),
        "rationale": question.rationale == "required",
        "strength": question.num_strengths > 1,
    }
    lacking = [name for name, is_asked in missing.items() if is_asked and name not in gives]
    return f"it gives no {' and no '.join(lacking)}" if lacking else ""


def why_not_a_pair(question: Question) -> str:
    """Why a protocol for two replies cannot answer; empty if it can."""
    return "" if question.num_completions == 2 else f"it compares two replies, not {question.num_completions}"


def check_given(spec: JudgeSpec, name: str) -> None:
    """Raises SpecInvalid unless the parameter has something in it."""
    if not getattr(spec, name):
        raise SpecInvalid(f"the protocol {spec.protocol} needs {name}", field=name)


def rationale_of(value: object) -> str:
    """Why, as the judge put it, cut to a length that can be shown."""
    return without_hidden(value).strip()[:RATIONALE_CHARACTERS] if isinstance(value, str) else ""
