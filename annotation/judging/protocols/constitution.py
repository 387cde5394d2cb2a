"""Which of two replies follows a principle better, asked about each principle of a constitution or about some of them.

Source: Y. Bai and others, "Constitutional AI: Harmlessness from AI Feedback" (2022, arXiv:2212.08073), which draws one
principle for each comparison and keeps the probabilities (`principles_per_item` 1, `is_soft`).
"""

from __future__ import annotations

from dataclasses import dataclass

from annotation.judging import template_texts
from annotation.judging.calls import Item, JudgeCall, Reply
from annotation.judging.canonical import content_hash
from annotation.judging.outcomes import Verdict
from annotation.judging.protocols.base import Ask, check_given, why_not_a_pair, why_not_asked
from annotation.judging.protocols.pairwise import read_soft_verdict, read_verdict, soft_ask, verdict_ask
from annotation.judging.reply_text import ReadableText
from annotation.judging.spec import JudgeSpec, SpecInvalid
from annotation.judging.templates import Template
from annotation.question import Question


@dataclass(frozen=True, kw_only=True)
class Constitution:
    """A pairwise verdict for each principle; their mean decides."""

    name: str = "constitution"
    template: Template = template_texts.CONSTITUTION
    max_new_tokens: int = 1024
    needs: frozenset[str] = frozenset(("prompt", "replies", "principle", "reply_form", "code"))
    has_order: bool = True

    def check(self, spec: JudgeSpec) -> None:
        check_given(spec, "principles")
        if spec.principles_per_item > len(spec.principles):
            raise SpecInvalid(
                f"principles_per_item must be {len(spec.principles)} at most, got {spec.principles_per_item}",
                field="principles_per_item",
            )
        if spec.is_soft and spec.num_samples > 1:
            raise SpecInvalid("one reply gives all probabilities: num_samples must be 1", field="num_samples")

    def why_not(self, spec: JudgeSpec, question: Question) -> str:
        gives = ("strength",) if spec.is_soft else ("strength", "rationale")
        return why_not_a_pair(question) or why_not_asked(question, gives=gives)

    def num_asks(self, spec: JudgeSpec, num_completions: int) -> int:
        return spec.principles_per_item or len(spec.principles)

    def asks(self, spec: JudgeSpec, item: Item, display_order: tuple[int, ...], seed: int) -> list[Ask]:
        asks = []
        for part in _drawn(spec, item, seed):
            values = {"principle": spec.principles[part]}
            if spec.is_soft:
                asks.append(soft_ask(spec, item.question, display_order, values=values, part=part))
            else:
                asks.append(verdict_ask(item.question, display_order, has_reasoning=True, values=values, part=part))
        return asks

    def read(self, call: JudgeCall, found: ReadableText, reply: Reply) -> Verdict:
        return read_soft_verdict(call, reply) if "labels" in call.expects else read_verdict(call, found)


CONSTITUTION = Constitution()


def _drawn(spec: JudgeSpec, item: Item, seed: int) -> list[int]:
    """Numbers of the principles to ask about, the same for both orders."""
    numbers = list(range(len(spec.principles)))
    if spec.principles_per_item:
        drawn = sorted(numbers, key=lambda part: content_hash(["principle", seed, item.fingerprint, part]))
        return sorted(drawn[: spec.principles_per_item])
    return numbers
