"""What a chosen label says about the replies: "left", "response-2", "Tie", "both are bad", "can't say"."""

from __future__ import annotations

from typing import Any

from annotation.judgment_import.fields import TaskFields, mark_of, plain
from core.source_rows import LineMalformed

TIES = {"tie", "tied", "equal", "equallygood", "same", "both", "bothgood", "botharegood", "draw", "nopreference"}
BOTH_BAD = {"bothbad", "bothbadtie", "botharebad", "neither", "none", "equallybad", "tiebothbad", "bothpoor"}
CANT_JUDGE = {"cantjudge", "cannotjudge", "cantsay", "cantchoose", "unsure", "notsure", "dontknow", "idontknow", "skip"}


def label_answer(label: str, task: TaskFields) -> dict[str, Any]:
    """The answer that choosing `label` gives. Raises `LineMalformed` for one that names no reply."""
    word = plain(label)
    num_replies = len(task.names)
    if word in CANT_JUDGE:
        return {"cant_judge": True}
    if word in TIES:
        return {"tiers": [list(range(num_replies))]}
    if word in BOTH_BAD and num_replies == 2:
        return {"tiers": [[0, 1]], "both_bad": True}
    place = _named_place(label, task)
    if place is None:
        raise LineMalformed(
            f"the label {label[:60]!r} names none of {', '.join(task.names)}, and is no word for a tie or for neither"
        )
    rest = [n for n in range(num_replies) if n != place]
    return {"tiers": [[place], rest]} if rest else {"tiers": [[place]]}


def _named_place(label: str, task: TaskFields) -> int | None:
    place = task.place_of(label)
    if place is not None:
        return place
    words = label.strip()
    while words:  # "B is better", "Response 2 is slightly better": the first words that name a reply
        head, _, _ = words.rpartition(" ")
        words = head.strip()
        if words and mark_of(words):
            place = task.place_of(words)
            if place is not None:
                return place
    return None
