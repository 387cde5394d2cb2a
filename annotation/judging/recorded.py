"""Replies that were recorded elsewhere, served as if a model gave them now: read and combined by the same code.

A record names its comparison and the order in which the replies were shown. Judge such items with `orders="balanced"`
and the record's order as `Item.display_order`, or with both orders where both were recorded.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from annotation.judging.asking import judge_item
from annotation.judging.calls import Item, JudgeCall, Reply
from annotation.judging.outcomes import Judged
from annotation.judging.spec import JudgeSpec

Name = TypeVar("Name", bound=Hashable)  # of a comparison


@dataclass(frozen=True, kw_only=True)
class Record:
    """One recorded reply."""

    comparison: Hashable
    display_order: tuple[int, ...]  # display_order[place] is the index of the completion that was shown there
    reply: Reply
    part: int = 0  # number of the aspect or principle
    sample: int = 0


class RecordedReplies:
    """Recorded replies by comparison, order, part and sample. Raises ValueError if one place has two."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._replies: dict[tuple[Hashable, tuple[int, ...], int, int], Reply] = {}
        for record in records:
            place = (record.comparison, record.display_order, record.part, record.sample)
            if place in self._replies:
                raise ValueError(f"two replies are recorded for comparison {record.comparison!r} in one order")
            self._replies[place] = record.reply

    def __len__(self) -> int:
        return len(self._replies)

    def reply(self, comparison: Hashable, call: JudgeCall) -> Reply | None:
        """The recorded reply to a call about that comparison; None if there is none, and for every retry."""
        if call.attempt:
            return None
        return self._replies.get((comparison, call.display_order, call.part, call.sample))


def replay(
    spec: JudgeSpec, items: Mapping[Name, Item], replies: RecordedReplies, *, seed: int = 0
) -> dict[Name, Judged]:
    """comparison → what the recorded judge says about it. Raises CannotJudge."""

    def judged(comparison: Name, item: Item) -> Judged:
        return judge_item(spec, item, source=lambda call: replies.reply(comparison, call), seed=seed)

    return {comparison: judged(comparison, item) for comparison, item in items.items()}
