"""The buttons and keys under a pairwise comparison. Pure: a question in, choices out."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from annotation.question import Question

WORDS = {  # how much better, weakest first, by the number of strengths
    1: ("better",),
    2: ("slightly better", "much better"),
    3: ("slightly better", "better", "much better"),
    4: ("negligibly better", "slightly better", "better", "significantly better"),
}
CHOSEN = ("tiers", "strength", "both_bad", "cant_judge")  # what a button says
MOST_ON_ONE_ROW_OF_DIGITS = 4  # strengths a side that fit on the keys 1–8


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One possible answer about the displayed places 0 (A) and 1 (B)."""

    side: Literal["first", "neither", "second", "aside"]
    label: str
    keys: tuple[str, ...]  # as labeling.js names them; the first is shown on the button
    answer: str  # JSON

    @property
    def shown_key(self) -> str:
        return self.keys[0].replace("shift+", "⇧").upper()

    @property
    def key_list(self) -> str:
        return " ".join(self.keys)


def pairwise_choices(question: Question) -> list[Choice]:
    """From "A is far better" on the left to "B is far better" on the right, then what stands apart."""
    strengths = range(1, question.num_strengths + 1)
    choices = [_preference(question, 0, strength) for strength in reversed(strengths)]
    if question.allows_ties:
        choices.append(_choice("neither", "Equally good", ("0", "t"), tiers=[[0, 1]]))
    choices += [_preference(question, 1, strength) for strength in strengths]
    if question.allows_both_bad:
        choices.append(_choice("aside", "Both are bad", ("b",), tiers=[[0, 1]], both_bad=True))
    if question.allows_cant_judge:
        choices.append(_choice("aside", "I can’t judge this", ("c",), cant_judge=True))
    return choices


def label_of(answer: dict[str, Any], question: Question) -> str:
    """The words of the button that gave this answer about displayed places; empty if no button did."""
    given = {name: answer.get(name) for name in CHOSEN if answer.get(name)}
    labels = [choice.label for choice in pairwise_choices(question) if json.loads(choice.answer) == given]
    return labels[0] if labels else ""


def _preference(question: Question, winner: int, strength: int) -> Choice:
    total = question.num_strengths
    words = WORDS[total][strength - 1] if total in WORDS else f"better, {strength} of {total}"
    if total > 1 and strength == 1 and not question.allows_ties:
        words += " or unsure"  # Llama 2's word for what is a tie elsewhere
    answer: dict[str, Any] = {"tiers": [[winner], [1 - winner]]}
    if total > 1:
        answer["strength"] = strength
    side: Literal["first", "second"] = "second" if winner else "first"
    return _choice(side, f"{'AB'[winner]} is {words}", _keys(total, winner, strength), **answer)


def _keys(total: int, winner: int, strength: int) -> tuple[str, ...]:
    """Digits from left to right; a scale too long for them uses Shift for B's side."""
    if total == 1:
        return ("2", "arrowright") if winner else ("1", "arrowleft")
    place = total - strength + 1  # of A's buttons: the strongest is leftmost
    if not winner:
        return (str(place),)
    return (str(total + strength),) if total <= MOST_ON_ONE_ROW_OF_DIGITS else (f"shift+{strength}",)


def _choice(
    side: Literal["first", "neither", "second", "aside"], label: str, keys: tuple[str, ...], **answer: Any
) -> Choice:
    return Choice(side=side, label=label, keys=keys, answer=json.dumps(answer))
