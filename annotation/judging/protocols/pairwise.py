"""Which of two replies is better: by a verdict alone, after reasoning, or by the probabilities of the verdict's token.

Source: L. Zheng and others, "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena" (2023, arXiv:2306.05685) for the
verdicts; the soft label is that of Y. Bai and others, "Constitutional AI" (2022, arXiv:2212.08073, section 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotation.judging import template_texts
from annotation.judging.calls import Item, JudgeCall, Reply
from annotation.judging.label_logprobs import label_probabilities
from annotation.judging.outcomes import Probabilities, Verdict
from annotation.judging.protocols.base import (
    Ask,
    object_schema,
    pair_of,
    rationale_of,
    why_not_a_pair,
    why_not_asked,
)
from annotation.judging.reply_text import ReadableText, member
from annotation.judging.spec import JudgeSpec, SpecInvalid
from annotation.judging.templates import Template
from annotation.judging.verdict_text import NoVerdict, read_label
from annotation.question import Question

NUM_LOGPROBS = 20  # alternatives: the most that vLLM and the OpenAI protocol give by default
TIE = "C"


@dataclass(frozen=True, kw_only=True)
class Pairwise:
    """A verdict as one letter, or as JSON where the question wants a strength or reasons are to come first."""

    name: str
    template: Template
    has_reasoning: bool
    max_new_tokens: int
    needs: frozenset[str] = frozenset(("prompt", "replies", "reply_form", "code"))
    has_order: bool = True

    def check(self, spec: JudgeSpec) -> None:
        check_unused(spec, "is_soft")

    def why_not(self, spec: JudgeSpec, question: Question) -> str:
        gives = ("strength", "rationale") if self.has_reasoning else ("strength",)
        return why_not_a_pair(question) or why_not_asked(question, gives=gives)

    def num_asks(self, spec: JudgeSpec, num_completions: int) -> int:
        return 1

    def asks(self, spec: JudgeSpec, item: Item, display_order: tuple[int, ...], seed: int) -> list[Ask]:
        return [verdict_ask(item.question, display_order, has_reasoning=self.has_reasoning)]

    def read(self, call: JudgeCall, found: ReadableText, reply: Reply) -> Verdict:
        return read_verdict(call, found)


@dataclass(frozen=True, kw_only=True)
class PairwiseLogprobs:
    """A soft label: the probabilities of the letters, renormalised over A, B and, where ties are allowed, C."""

    name: str = "pairwise_logprobs"
    template: Template = template_texts.PAIRWISE_LOGPROBS
    max_new_tokens: int = 8
    needs: frozenset[str] = frozenset(("prompt", "replies", "reply_form", "code"))
    has_order: bool = True

    def check(self, spec: JudgeSpec) -> None:
        check_unused(spec, "is_soft")
        if spec.num_samples > 1:
            raise SpecInvalid("one reply gives all probabilities: num_samples must be 1", field="num_samples")

    def why_not(self, spec: JudgeSpec, question: Question) -> str:
        return why_not_a_pair(question) or why_not_asked(question, gives=("strength",))

    def num_asks(self, spec: JudgeSpec, num_completions: int) -> int:
        return 1

    def asks(self, spec: JudgeSpec, item: Item, display_order: tuple[int, ...], seed: int) -> list[Ask]:
        return [soft_ask(spec, item.question, display_order)]

    def read(self, call: JudgeCall, found: ReadableText, reply: Reply) -> Verdict:
        return read_soft_verdict(call, reply)


VERDICT = Pairwise(
    name="pairwise_verdict", template=template_texts.PAIRWISE_VERDICT, has_reasoning=False, max_new_tokens=32
)
REASONING = Pairwise(
    name="pairwise_reasoning", template=template_texts.PAIRWISE_REASONING, has_reasoning=True, max_new_tokens=1024
)


def check_unused(spec: JudgeSpec, name: str) -> None:
    """Raises SpecInvalid if a parameter is set that the protocol does not look at."""
    if getattr(spec, name):
        raise SpecInvalid(f"the protocol {spec.protocol} has no parameter {name}", field=name)


def letters(question: Question) -> tuple[str, ...]:
    """A, B and, for a tie, C."""
    return ("A", "B", TIE) if question.allows_ties else ("A", "B")


def verdict_ask(
    question: Question,
    display_order: tuple[int, ...],
    *,
    has_reasoning: bool,
    values: Mapping[str, str] | None = None,
    part: int = 0,
) -> Ask:
    """Ask for A, B or C: as a choice of one letter, or as JSON."""
    properties: dict[str, Any] = {"reasoning": {"type": "string"}} if has_reasoning else {}
    properties["verdict"] = {"type": "string", "enum": list(letters(question))}
    if question.num_strengths > 1:
        properties["strength"] = {"type": "integer", "minimum": 1, "maximum": question.num_strengths}
    is_letter = list(properties) == ["verdict"]
    return Ask(
        shown=display_order,
        reply_form=_letter_form(question) if is_letter else _object_form(question, has_reasoning=has_reasoning),
        values=values or {},
        expects={"ties": question.allows_ties, "strengths": question.num_strengths},
        choices=letters(question) if is_letter else (),
        json_schema=None if is_letter else object_schema(properties),
        part=part,
    )


def soft_ask(
    spec: JudgeSpec,
    question: Question,
    display_order: tuple[int, ...],
    *,
    values: Mapping[str, str] | None = None,
    part: int = 0,
) -> Ask:
    """Ask for one letter and for the probabilities of its alternatives."""
    return Ask(
        shown=display_order,
        reply_form=_letter_form(question),
        values=values or {},
        expects={"labels": list(letters(question)), "least_mass": spec.min_label_mass},
        choices=letters(question),
        num_logprobs=NUM_LOGPROBS,
        part=part,
    )


def read_verdict(call: JudgeCall, found: ReadableText) -> Verdict:
    """The verdict in a text. Raises NoVerdict."""
    label, read_as = read_label(found, allows_ties=call.expects["ties"])
    tiers, probabilities = pair_of(label, call.display_order)
    strength, rationale = None, ""
    for values in found.objects:
        rationale = rationale_of(member(values, "reasoning", "rationale", "explanation"))
        strength = member(values, "strength")
    if call.expects["strengths"] > 1 and label != "tie":
        _check_strength(strength, call.expects["strengths"])
    is_strong = call.expects["strengths"] > 1 and label != "tie"
    if not found.objects and read_as != "choice":
        rationale = rationale_of(found.around)
    return Verdict(
        read_as=read_as,
        tiers=tiers,
        probabilities=probabilities,
        strength=strength if is_strong else None,
        rationale=rationale,
    )


def read_soft_verdict(call: JudgeCall, reply: Reply) -> Verdict:
    """The probabilities behind a letter. Raises NoVerdict."""
    labels = list(call.expects["labels"])
    found = label_probabilities(reply.logprobs, labels, least_mass=call.expects["least_mass"])
    is_in_order = call.display_order[0] < call.display_order[1]
    first, second = (found["A"], found["B"]) if is_in_order else (found["B"], found["A"])
    probabilities = Probabilities(first=first, tie=found.get(TIE, 0.0), second=second)
    return Verdict(read_as="logprobs", tiers=tiers_of(probabilities), probabilities=probabilities)


def tiers_of(probabilities: Probabilities, tie_margin: float = 0.0) -> list[list[int]]:
    """The likeliest verdict on completions 0 and 1; a tie where the sides differ by `tie_margin` at most."""
    first, second = probabilities.first, probabilities.second
    if probabilities.tie >= max(first, second) or abs(first - second) <= tie_margin + 1e-12:
        return [[0, 1]]
    return [[0], [1]] if first > second else [[1], [0]]


def _check_strength(strength: object, num_strengths: int) -> None:
    is_whole = isinstance(strength, int) and not isinstance(strength, bool)
    if not is_whole or not 1 <= strength <= num_strengths:  # type: ignore[operator] # it is a whole number
        raise NoVerdict(f"the strength must be 1–{num_strengths}, got {strength!r}")


def _letter_form(question: Question) -> str:
    tie = f", {TIE} if they are equally good" if question.allows_ties else ""
    return f"Reply with one letter and nothing else: A if reply A is better, B if reply B is better{tie}."


def _object_form(question: Question, *, has_reasoning: bool) -> str:
    tie = f", {TIE} if they are equally good" if question.allows_ties else ""
    fields = ['"reasoning": "…"'] if has_reasoning else []
    fields.append('"verdict": "…"')
    says = [f"The verdict is A if reply A is better, B if reply B is better{tie}."]
    if question.num_strengths > 1:
        fields.append('"strength": …')
        says.append(f"The strength goes from 1 (barely better) to {question.num_strengths} (far better).")
    return f"Reply with a JSON object and nothing else: {{{', '.join(fields)}}}. {' '.join(says)}"
