"""A rubric as a checklist: does the reply meet each criterion, yes or no; the points are the weights that it earns.

Source: R. Arora and others, "HealthBench" (2025, arXiv:2505.08775) for criteria with positive and negative weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotation.judging import template_texts
from annotation.judging.calls import Item, JudgeCall, Reply
from annotation.judging.outcomes import Verdict
from annotation.judging.protocols.base import Ask, check_given, object_schema, rationale_of, why_not_asked
from annotation.judging.protocols.pairwise import check_unused
from annotation.judging.reply_text import ReadableText, member
from annotation.judging.spec import JudgeSpec, SpecInvalid
from annotation.judging.templates import Template
from annotation.judging.verdict_text import read_entries, read_yes
from annotation.question import Question


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """One request for each reply with all criteria; points lie in 0 … 1."""

    name: str = "checklist"
    template: Template = template_texts.CHECKLIST
    max_new_tokens: int = 1024
    needs: frozenset[str] = frozenset(("prompt", "replies", "criteria", "reply_form", "code"))
    has_order: bool = False

    def check(self, spec: JudgeSpec) -> None:
        check_unused(spec, "is_soft")
        check_given(spec, "criteria")
        if not any(criterion.weight > 0 for criterion in spec.criteria):
            raise SpecInvalid("criteria need one with a weight above 0", field="criteria")

    def why_not(self, spec: JudgeSpec, question: Question) -> str:
        return why_not_asked(question, gives=("ratings", "strength", "rationale"))

    def num_asks(self, spec: JudgeSpec, num_completions: int) -> int:
        return num_completions

    def asks(self, spec: JudgeSpec, item: Item, display_order: tuple[int, ...], seed: int) -> list[Ask]:
        names = [str(number) for number in range(1, len(spec.criteria) + 1)]
        yes_or_no = {"type": "string", "enum": ["yes", "no"]}
        schema = object_schema(
            {"reasoning": {"type": "string"}, "answers": object_schema(dict.fromkeys(names, yes_or_no))}
        )
        lines = [f"{name}. {criterion.text}" for name, criterion in zip(names, spec.criteria, strict=True)]
        reply_form = (
            'Reply with a JSON object and nothing else: {"reasoning": "…", "answers": {"1": "…", …}}. '
            f"Say yes or no to each criterion from 1 to {len(names)}."
        )
        return [
            Ask(
                shown=(index,),
                reply_form=reply_form,
                values={"criteria": "\n".join(lines)},
                expects={"weights": [criterion.weight for criterion in spec.criteria]},
                json_schema=schema,
            )
            for index in display_order
        ]

    def read(self, call: JudgeCall, found: ReadableText, reply: Reply) -> Verdict:
        weights = call.expects["weights"]
        names = [str(number) for number in range(1, len(weights) + 1)]
        answers, read_as = read_entries(found, keys=("answers", "criteria", "checks"), names=names, value_of=read_yes)
        checks = tuple(answers[name] for name in names)
        rationale = [rationale_of(member(values, "reasoning", "rationale")) for values in found.objects]
        return Verdict(
            read_as=read_as,
            points={call.display_order[0]: earned(checks, weights)},
            checks=checks,
            rationale=rationale[-1] if rationale else "",
        )


CHECKLIST = Checklist()


def earned(checks: Sequence[bool], weights: Sequence[float]) -> float:
    """The weights of what is met over all positive ones, at least 0."""
    won = sum(weight for is_met, weight in zip(checks, weights, strict=True) if is_met)
    return min(1.0, max(0.0, won / sum(weight for weight in weights if weight > 0)))
