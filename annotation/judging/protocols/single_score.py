"""Points from 1 to 10 for each reply by itself, beside a reference answer where there is one.

Source: L. Zheng and others, "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena" (2023, arXiv:2306.05685).
"""

from __future__ import annotations

from dataclasses import dataclass

from annotation.judging import template_texts
from annotation.judging.calls import Item, JudgeCall, Reply
from annotation.judging.outcomes import Verdict
from annotation.judging.protocols.base import Ask, object_schema, rationale_of, why_not_asked
from annotation.judging.protocols.pairwise import check_unused
from annotation.judging.reply_text import ReadableText, member
from annotation.judging.spec import JudgeSpec
from annotation.judging.templates import Template
from annotation.judging.verdict_text import read_points
from annotation.question import Question


@dataclass(frozen=True, kw_only=True)
class SingleScore:
    """One request for each reply; which one stands first can decide nothing."""

    name: str = "single_score"
    template: Template = template_texts.SINGLE_SCORE
    max_new_tokens: int = 1024
    needs: frozenset[str] = frozenset(("prompt", "replies", "reply_form", "code"))
    has_order: bool = False

    def check(self, spec: JudgeSpec) -> None:
        check_unused(spec, "is_soft")

    def why_not(self, spec: JudgeSpec, question: Question) -> str:
        return why_not_asked(question, gives=("ratings", "strength", "rationale"))

    def num_asks(self, spec: JudgeSpec, num_completions: int) -> int:
        return num_completions

    def asks(self, spec: JudgeSpec, item: Item, display_order: tuple[int, ...], seed: int) -> list[Ask]:
        properties = {
            "reasoning": {"type": "string"},
            "score": {"type": "integer", "minimum": 1, "maximum": spec.points},
        }
        reply_form = (
            'Reply with a JSON object and nothing else: {"reasoning": "…", "score": …}. '
            f"The score is a whole number from 1 (worst) to {spec.points} (best)."
        )
        return [
            Ask(
                shown=(index,),
                reply_form=reply_form,
                expects={"points": spec.points},
                json_schema=object_schema(properties),
            )
            for index in display_order
        ]

    def read(self, call: JudgeCall, found: ReadableText, reply: Reply) -> Verdict:
        points, read_as = read_points(found, points=call.expects["points"])
        reasons = [rationale_of(member(values, "reasoning", "rationale", "explanation")) for values in found.objects]
        rationale = reasons[-1] if reasons else rationale_of(found.around if read_as != "choice" else "")
        return Verdict(read_as=read_as, points={call.display_order[0]: points}, rationale=rationale)


SINGLE_SCORE = SingleScore()
