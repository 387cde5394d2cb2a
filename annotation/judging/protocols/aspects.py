"""Points for every reply, one request for each aspect, all replies side by side.

Source: G. Cui and others, "UltraFeedback: Boosting Language Models with Scaled AI Feedback" (2023, arXiv:2310.01377).
"""

from __future__ import annotations

from dataclasses import dataclass

from annotation.judging import template_texts
from annotation.judging.calls import Item, JudgeCall, Reply
from annotation.judging.outcomes import Verdict
from annotation.judging.protocols.base import (
    Ask,
    check_given,
    letters_of,
    listed,
    object_schema,
    rationale_of,
    why_not_asked,
)
from annotation.judging.protocols.pairwise import check_unused
from annotation.judging.reply_text import ReadableText, member
from annotation.judging.spec import JudgeSpec
from annotation.judging.templates import Template
from annotation.judging.verdict_text import read_entries, read_number
from annotation.question import Question


@dataclass(frozen=True, kw_only=True)
class Aspects:
    """Points by aspect; the order is that of their means."""

    name: str = "aspects"
    template: Template = template_texts.ASPECTS
    max_new_tokens: int = 1024
    needs: frozenset[str] = frozenset(("prompt", "replies", "aspect", "reply_form", "code"))
    has_order: bool = True

    def check(self, spec: JudgeSpec) -> None:
        check_unused(spec, "is_soft")
        check_given(spec, "aspects")

    def why_not(self, spec: JudgeSpec, question: Question) -> str:
        known = [aspect.name for aspect in spec.aspects]
        if unknown := [name for name in question.aspects if name not in known]:
            return f"it knows nothing about {', '.join(unknown)}"
        return why_not_asked(question, gives=("ratings", "aspects", "strength", "rationale"))

    def num_asks(self, spec: JudgeSpec, num_completions: int) -> int:
        return len(spec.aspects)

    def asks(self, spec: JudgeSpec, item: Item, display_order: tuple[int, ...], seed: int) -> list[Ask]:
        letters = letters_of(display_order)
        points = {"type": "integer", "minimum": 1, "maximum": spec.aspect_points}
        schema = object_schema(
            {"reasoning": {"type": "string"}, "ratings": object_schema(dict.fromkeys(letters, points))}
        )
        reply_form = (
            'Reply with a JSON object and nothing else: {"reasoning": "…", "ratings": {"A": …, …}}. '
            f"Rate each of {listed(letters)} with a whole number from 1 (worst) to {spec.aspect_points} (best)."
        )
        return [
            Ask(
                shown=display_order,
                reply_form=reply_form,
                values={"aspect": f"{aspect.name}: {aspect.description}".rstrip(": ")},
                expects={"letters": letters, "points": spec.aspect_points},
                json_schema=schema,
                part=part,
            )
            for part, aspect in enumerate(spec.aspects)
        ]

    def read(self, call: JudgeCall, found: ReadableText, reply: Reply) -> Verdict:
        letters, most = call.expects["letters"], call.expects["points"]
        points, read_as = read_entries(
            found, keys=("ratings", "scores"), names=letters, value_of=lambda value: read_number(value, points=most)
        )
        rationale = [rationale_of(member(values, "reasoning", "rationale")) for values in found.objects]
        return Verdict(
            read_as=read_as,
            points={call.display_order[letters.index(letter)]: value for letter, value in points.items()},
            rationale=rationale[-1] if rationale else "",
        )


ASPECTS = Aspects()
