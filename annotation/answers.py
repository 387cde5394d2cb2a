"""Answers in their one canonical form: tiers, a weak ordering of the completions' indices, best first.

`[[2], [0, 1], [3]]` puts completion 2 first, 0 and 1 level, 3 last; a pairwise tie is `[[0, 1]]`. Inside a tier the
indices rise. An index is always the completion's own, never its place on the page: `to_canonical` and `to_displayed`
translate through the display order, in which `display_order[place]` is the index of the completion shown there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from annotation.question import Question

Tiers = list[list[int]]

_FIELDS = ("tiers", "strength", "both_bad", "cant_judge")


class AnswerRefused(ValueError):
    """An answer breaks a rule: `rule` is its short name, for programs; the message explains it to people."""

    def __init__(self, rule: str, message: str) -> None:
        self.rule = rule
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One judgment of one comparison, checked against its question."""

    tiers: Tiers | None  # None only with cant_judge
    strength: int | None = None  # 1 (barely) to the question's num_strengths (by far); only with a preference
    both_bad: bool = False  # a tie, because neither is any good
    cant_judge: bool = False  # no opinion, which is not a tie

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `parse_answer` reads back; what does not apply is left out."""
        fields = {name: getattr(self, name) for name in _FIELDS}
        return {name: value for name, value in fields.items() if value is not None and value is not False}


@dataclass(frozen=True, kw_only=True)
class OrderedPairs:
    """What tiers say about every two completions."""

    preferences: list[tuple[int, int]]  # (winner, loser)
    ties: list[tuple[int, int]]  # (lower index, higher index)


def parse_answer(raw: object, *, question: Question, num_completions: int) -> Answer:
    """The answer in a JSON object with canonical indices. Raises AnswerRefused naming the rule that it breaks."""
    if not isinstance(raw, Mapping):
        raise AnswerRefused("not_an_object", f"an answer is a JSON object, got {type(raw).__name__}")
    unknown = sorted(str(key) for key in set(raw) - set(_FIELDS))
    if unknown:
        raise AnswerRefused("unknown_field", f"unknown fields in the answer: {', '.join(unknown)}")
    if _flag(raw, "cant_judge"):
        return _without_order(raw, question)
    tiers = parse_tiers(raw.get("tiers"), num_completions=num_completions)
    answer = Answer(tiers=tiers, strength=raw.get("strength"), both_bad=_flag(raw, "both_bad"))
    _check(answer, tiers, question)
    return answer


def parse_tiers(raw: object, *, num_completions: int) -> Tiers:
    """Tiers in canonical form: each index of 0 … num_completions-1 once, no empty tier. Raises AnswerRefused."""
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not all(map(_is_index_list, raw)):
        raise AnswerRefused(
            "tiers_malformed", f"tiers must be lists of completion indices, such as [[1], [0]], got {raw!r}"
        )
    tiers = [sorted(tier) for tier in raw]
    if not all(tiers):
        raise AnswerRefused("empty_tier", f"a tier names at least one completion, got {raw!r}")
    if sorted(index for tier in tiers for index in tier) != list(range(num_completions)):
        raise AnswerRefused(
            "not_all_once", f"tiers must name each of the completions 0–{num_completions - 1} exactly once, got {raw!r}"
        )
    return tiers


def to_canonical(answer: Answer, display_order: Sequence[int]) -> Answer:
    """An answer about places on the page as one about completions."""
    check_display_order(display_order)
    return _renumbered(answer, display_order)


def to_displayed(answer: Answer, display_order: Sequence[int]) -> Answer:
    """An answer about completions as one about the places at which they are shown."""
    check_display_order(display_order)
    return _renumbered(answer, [display_order.index(index) for index in range(len(display_order))])


def check_display_order(display_order: Sequence[int]) -> None:
    """Raises AnswerRefused unless `display_order` is a permutation of 0 … n-1."""
    if sorted(display_order) != list(range(len(display_order))):
        raise AnswerRefused("display_order", f"a display order names each place once, got {list(display_order)}")


def ordered_pairs(tiers: Sequence[Sequence[int]]) -> OrderedPairs:
    """Every two completions as (winner, loser) or as a tie."""
    preferences = [
        (winner, loser)
        for place, tier in enumerate(tiers)
        for winner in tier
        for worse in tiers[place + 1 :]
        for loser in worse
    ]
    ties = [(first, second) for tier in tiers for first in tier for second in tier if first < second]
    return OrderedPairs(preferences=preferences, ties=ties)


def _without_order(raw: Mapping[str, Any], question: Question) -> Answer:
    if not question.allows_cant_judge:
        raise AnswerRefused("cant_judge_not_allowed", "this question does not accept 'can't judge'")
    if raw.get("tiers") is not None or raw.get("strength") is not None or _flag(raw, "both_bad"):
        raise AnswerRefused("cant_judge_alone", "'can't judge' goes with no order, no strength and no 'both bad'")
    return Answer(tiers=None, cant_judge=True)


def _check(answer: Answer, tiers: Tiers, question: Question) -> None:
    num_completions = sum(map(len, tiers))
    if num_completions != question.num_completions:
        raise AnswerRefused(
            "num_completions", f"the question is about {question.num_completions} completions, got {num_completions}"
        )
    is_tie = len(tiers) == 1
    if answer.both_bad:
        _check_both_bad(question, is_tie=is_tie)
    elif not question.allows_ties and len(tiers) < num_completions:
        raise AnswerRefused("tie_not_allowed", "this question wants an order without ties")
    _check_strength(answer.strength, question, is_tie=is_tie)


def _check_both_bad(question: Question, *, is_tie: bool) -> None:
    if not question.allows_both_bad:
        raise AnswerRefused("both_bad_not_allowed", "this question does not accept 'both bad'")
    if not is_tie:
        raise AnswerRefused("both_bad_is_a_tie", "'both bad' prefers neither reply: its tiers are [[0, 1]]")


def _check_strength(strength: object, question: Question, *, is_tie: bool) -> None:
    if strength is None:
        if question.num_strengths > 1 and not is_tie:
            raise AnswerRefused("strength_missing", f"say how much better: 1–{question.num_strengths}")
        return
    if not _is_index(strength) or not 1 <= strength <= question.num_strengths:
        raise AnswerRefused(
            "strength_out_of_range", f"strength must lie in 1–{question.num_strengths}, got {strength!r}"
        )
    if is_tie:
        raise AnswerRefused("strength_with_tie", "a strength goes with a preference, never with a tie")


def _renumbered(answer: Answer, numbers: Sequence[int]) -> Answer:
    if answer.tiers is None:
        return answer
    if sum(map(len, answer.tiers)) != len(numbers):
        raise AnswerRefused("display_order", f"{len(numbers)} places for {sum(map(len, answer.tiers))} completions")
    return replace(answer, tiers=[sorted(numbers[index] for index in tier) for tier in answer.tiers])


def _flag(raw: Mapping[str, Any], name: str) -> bool:
    value = raw.get(name, False)
    if not isinstance(value, bool):
        raise AnswerRefused("flag_malformed", f"{name} must be true or false, got {value!r}")
    return value


def _is_index_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(map(_is_index, value))


def _is_index(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
