"""Scripted judges that compare a reply with the one right answer by rule.

They stand in for people in demonstrations and tests, and are named as what they are. Both give a wrong reply
less than a right one, whatever else it does, so that a model trained on their judgments learns to be right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.question import Question

# What each judge grants, from 0 (worthless) to 1 (right).
_SAME_BUT_FOR_STYLE = 0.9  # case or punctuation differ
_BEST_WRONG = 0.6  # the most that a reply which is not the answer can get
_CONTAINED = 0.5  # the answer is there as whole words, with other words around it
_LENIENT_MARGIN = 0.15  # differences up to this one tie

_MAX_CELLS = 40_000  # of the edit-distance table; above it words are compared instead of characters


@dataclass(frozen=True, kw_only=True)
class RubricJudge:
    """A judge that is one rule: `grade(reference, completion)` in 0–1; scores within `margin` tie."""

    name: str
    grade: Callable[[str, str], float]
    margin: float

    def score(self, reference: str, completion: str) -> float:
        """How good an answer `completion` is where `reference` is right: 0 (worthless) to 1 (right)."""
        return self.grade(reference, completion)

    def judge(self, reference: str, completions: Sequence[str], question: Question) -> list[list[int]]:
        """Tiers of completion indices, best first. The order of `completions` never decides.

        If the question allows no ties, equal scores are put in order by length and then by the text itself;
        only identical texts fall back to their index.
        """
        scores = [self.score(reference, completion) for completion in completions]
        if not question.allows_ties:
            return _without_ties(scores, completions)
        return _tiers_within(scores, self.margin)

    def answer(self, reference: str, completions: Sequence[str], question: Question) -> dict[str, Any]:
        """An answer as `annotation.answers` parses it. Ask `why_not` first whether the judge can answer at all."""
        scores = [self.score(reference, completion) for completion in completions]
        answer: dict[str, Any] = {}
        if question.kind != "rating":
            answer["tiers"] = self.judge(reference, completions, question)
        if question.top_k:
            answer["tiers"] = _without_ties(scores, completions)[: question.top_k]
        if question.num_strengths > 1 and len(answer["tiers"]) > 1:
            answer["strength"] = max(1, math.ceil((max(scores) - min(scores)) * question.num_strengths))
        if question.rating_points:
            answer["ratings"] = [1 + round(score * (question.rating_points - 1)) for score in scores]
        if question.rationale != "none":
            answer["rationale"] = f"Graded by rule from 0 to 1: best {max(scores):.2f}, worst {min(scores):.2f}."
        return answer


def why_not(question: Question) -> str:
    """Why a rubric judge cannot answer the question; empty if it can."""
    if question.kind == "demonstration":
        return "it compares replies and writes none"
    if question.asks_safety:
        return "it cannot tell whether a reply is safe"
    if question.aspects:
        return f"it knows right from wrong, not {', '.join(question.aspects)}"
    return ""


def strict() -> RubricJudge:
    """Right or wrong: the exact answer but for surrounding and doubled blanks. All wrong replies tie."""
    return RubricJudge(name="Scripted rubric judge (strict)", grade=_grade_strictly, margin=0.0)


def lenient() -> RubricJudge:
    """Forgives case and punctuation and grants partial credit for coming close. Small differences tie."""
    return RubricJudge(name="Scripted rubric judge (lenient)", grade=_grade_leniently, margin=_LENIENT_MARGIN)


def edit_similarity(first: str, second: str) -> float:
    """1 minus the Levenshtein distance over the longer length: 1 for equal texts, 0 for nothing in common.

    Long texts are compared word by word.
    """
    a: Sequence[str] = first
    b: Sequence[str] = second
    if len(a) * len(b) > _MAX_CELLS:
        a, b = first.split(), second.split()
    longest = max(len(a), len(b))
    return 1.0 - _edit_distance(a, b) / longest if longest else 1.0


def _grade_strictly(reference: str, completion: str) -> float:
    return float(_with_single_blanks(reference) == _with_single_blanks(completion))


def _grade_leniently(reference: str, completion: str) -> float:
    if _grade_strictly(reference, completion):
        return 1.0
    wanted, given = _bare(reference), _bare(completion)
    if wanted and wanted == given:
        return _SAME_BUT_FOR_STYLE
    closeness = _BEST_WRONG * edit_similarity(wanted, given)
    if wanted and f" {wanted} " in f" {given} ":
        # Naming the answer helps, but a reply that goes on and on to hit it must not.
        return max(closeness, _CONTAINED * len(wanted) / len(given))
    return closeness


def _with_single_blanks(text: str) -> str:
    return " ".join(text.split())


def _bare(text: str) -> str:
    """Lower-case words without punctuation; a text of nothing but punctuation stays as it is."""
    kept = "".join(character if character.isalnum() else " " for character in text.casefold())
    return _with_single_blanks(kept) or _with_single_blanks(text)


def _edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


def _tiers_within(scores: Sequence[float], margin: float) -> list[list[int]]:
    """Indices by falling score; a tier holds whatever lies within `margin` of its best member."""
    tiers: list[list[int]] = []
    best = 0.0
    for index in sorted(range(len(scores)), key=lambda index: -scores[index]):
        if tiers and best - scores[index] <= margin:
            tiers[-1].append(index)
        else:
            tiers.append([index])
            best = scores[index]
    return [sorted(tier) for tier in tiers]


def _without_ties(scores: Sequence[float], completions: Sequence[str]) -> list[list[int]]:
    def rank(index: int) -> tuple[float, int, str, int]:
        return -scores[index], len(completions[index]), completions[index], index

    return [[index] for index in sorted(range(len(scores)), key=rank)]
