"""What changed between two versions of a question or of guidelines. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from annotation.question import Question

CONTEXT_LINES = 2  # unchanged lines that are shown around a change


@dataclass(frozen=True, kw_only=True)
class FieldChange:
    """A field of a question that is not what it was."""

    name: str  # as in JSON
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of guidelines in a comparison of two versions."""

    kind: Literal["same", "gone", "new", "left_out"]
    text: str


def question_changes(before: Question, after: Question) -> list[FieldChange]:
    """The fields in which two questions differ, in the order in which a question has them."""
    old, new = before.to_json(), after.to_json()
    return [
        FieldChange(name=name, before=_shown(old[name]), after=_shown(new[name]))
        for name in new
        if old[name] != new[name]
    ]


def line_changes(before: str, after: str) -> list[Line]:
    """The lines of both texts with what is gone and what is new; long unchanged stretches are left out."""
    old, new = before.splitlines(), after.splitlines()
    lines: list[Line] = []
    for tag, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            same = [Line(kind="same", text=text) for text in old[old_from:old_to]]
            lines += _shortened(same, is_first=old_from == 0, is_last=old_to == len(old))
        else:
            lines += [Line(kind="gone", text=text) for text in old[old_from:old_to]]
            lines += [Line(kind="new", text=text) for text in new[new_from:new_to]]
    return lines


def _shortened(same: Sequence[Line], *, is_first: bool, is_last: bool) -> list[Line]:
    head = 0 if is_first else CONTEXT_LINES
    tail = 0 if is_last else CONTEXT_LINES
    num_left_out = len(same) - head - tail
    if num_left_out <= 1:
        return list(same)
    marker = Line(kind="left_out", text=f"{num_left_out} unchanged lines")
    return [*same[:head], marker, *same[len(same) - tail :]]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
