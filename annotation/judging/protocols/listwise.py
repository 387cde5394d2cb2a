"""All replies of a comparison in one order, best first.

Source: W. Sun and others, "Is ChatGPT Good at Search? Investigating Large Language Models as Re-Ranking Agents" (2023,
arXiv:2304.09542), whose form `[2] > [1]` is read as well, with letters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from annotation.judging import template_texts
from annotation.judging.calls import Item, JudgeCall, Reply
from annotation.judging.outcomes import Verdict
from annotation.judging.protocols.base import (
    Ask,
    letters_of,
    listed,
    object_schema,
    pair_of,
    rationale_of,
    why_not_asked,
)
from annotation.judging.protocols.pairwise import check_unused
from annotation.judging.reply_text import ReadableText, member
from annotation.judging.spec import JudgeSpec
from annotation.judging.templates import Template
from annotation.judging.verdict_text import read_order
from annotation.question import Question


@dataclass(frozen=True, kw_only=True)
class Listwise:
    """One request that shows every reply; orders are a drawn one and its reverse, or balanced rotations."""

    name: str = "listwise"
    template: Template = template_texts.LISTWISE
    max_new_tokens: int = 1024
    needs: frozenset[str] = frozenset(("prompt", "replies", "reply_form", "code"))
    has_order: bool = True

    def check(self, spec: JudgeSpec) -> None:
        check_unused(spec, "is_soft")

    def why_not(self, spec: JudgeSpec, question: Question) -> str:
        if question.num_completions < 2:
            return "it orders two replies or more"
        return why_not_asked(question, gives=("rationale",))

    def num_asks(self, spec: JudgeSpec, num_completions: int) -> int:
        return 1

    def asks(self, spec: JudgeSpec, item: Item, display_order: tuple[int, ...], seed: int) -> list[Ask]:
        letters, has_ties = letters_of(display_order), item.question.allows_ties
        return [
            Ask(
                shown=display_order,
                reply_form=_reply_form(letters, has_ties=has_ties),
                expects={"letters": letters, "ties": has_ties},
                json_schema=_schema(letters, has_ties=has_ties),
            )
        ]

    def read(self, call: JudgeCall, found: ReadableText, reply: Reply) -> Verdict:
        letters = call.expects["letters"]
        named, read_as = read_order(found, letters=letters, allows_ties=call.expects["ties"])
        tiers = [sorted(call.display_order[letters.index(letter)] for letter in tier) for tier in named]
        rationale = [rationale_of(member(values, "reasoning", "rationale")) for values in found.objects]
        label = "tie" if len(tiers) == 1 else named[0][0]
        return Verdict(
            read_as=read_as,
            tiers=tiers,
            probabilities=pair_of(label, call.display_order)[1] if len(letters) == 2 else None,
            rationale=rationale[-1] if rationale else "",
        )


LISTWISE = Listwise()


def _schema(letters: str, *, has_ties: bool) -> dict[str, Any]:
    letter: dict[str, Any] = {"type": "string", "enum": list(letters)}
    size = {"minItems": len(letters), "maxItems": len(letters)}
    tiers = {"type": "array", "items": letter, "minItems": 1, "maxItems": len(letters)}
    ranking = (
        {"type": "array", "items": tiers, "minItems": 1, "maxItems": len(letters)}
        if has_ties
        else {"type": "array", "items": letter, **size}
    )
    return object_schema({"reasoning": {"type": "string"}, "ranking": ranking})


def _reply_form(letters: str, *, has_ties: bool) -> str:
    example = '[["B"], ["A", …], …]' if has_ties else '["B", "A", …]'
    ties = " Replies that are equally good share a list." if has_ties else ""
    return (
        f'Reply with a JSON object and nothing else: {{"reasoning": "…", "ranking": {example}}}. '
        f"The ranking names each of {listed(letters)} once, best first.{ties}"
    )
