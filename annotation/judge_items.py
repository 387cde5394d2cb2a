"""From comparisons to what a judge is shown of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from annotation.judging import Item
from annotation.models import Candidate, Comparison, Slot
from annotation.question import Question
from annotation.queue import question_of


@dataclass(frozen=True, kw_only=True)
class Work:
    """One comparison that a judge is to judge, and the slot that it answers, if any."""

    comparison: int | None  # or the pair of an evaluation; None: an attack of the injection test
    item: Item
    purpose: str = Slot.Purpose.MAIN
    question_version: int = 1
    slot: Slot | None = None

    @property
    def seed(self) -> int:
        """One for all runs, so that the same comparison gives the same calls; a repeat is a draw of its own."""
        return 1 if self.purpose == Slot.Purpose.REPEAT else 0


def work_on_slots(slots: Iterable[Slot]) -> list[Work]:
    """What leased slots ask, each by the question that it was served with."""
    slots = list(slots)
    shown = _contents([slot.comparison_id for slot in slots])
    questions = {slot.question_version: question_of(slot) for slot in slots}
    return [
        Work(
            comparison=slot.comparison_id,
            item=_item(
                shown[slot.comparison_id],
                questions[slot.question_version],
                display_order=tuple(slot.display_order),
            ),
            purpose=slot.purpose,
            question_version=slot.question_version,
            slot=slot,
        )
        for slot in slots
    ]


def work_on_comparisons(comparisons: Iterable[int], *, question: Question, question_version: int) -> list[Work]:
    """Comparisons without slots; a judge of one order balances it by their place in the list."""
    comparisons = list(comparisons)
    shown = _contents(comparisons)
    return [
        Work(comparison=pk, item=_item(shown[pk], question, number=number), question_version=question_version)
        for number, pk in enumerate(comparisons)
    ]


@dataclass(frozen=True, kw_only=True)
class _Content:
    prompt: tuple[dict[str, str], ...]
    texts: tuple[str, ...]
    reference: str


def _contents(comparisons: Iterable[int]) -> dict[int, _Content]:
    wanted = set(comparisons)
    texts: dict[int, list[str]] = defaultdict(list)
    rows = Candidate.objects.filter(comparison__in=wanted).order_by("comparison", "position")
    for pk, text in rows.values_list("comparison_id", "completion__text"):
        texts[pk].append(text)
    prompts = Comparison.objects.filter(pk__in=wanted).values_list("pk", "prompt__messages", "prompt__reference")
    return {
        pk: _Content(prompt=tuple(messages), texts=tuple(texts[pk]), reference=reference)
        for pk, messages, reference in prompts
    }


def _item(
    content: _Content, question: Question, *, display_order: tuple[int, ...] | None = None, number: int | None = None
) -> Item:
    return Item(
        prompt=content.prompt,
        texts=content.texts,
        question=question,
        reference=content.reference or None,
        number=number,
        display_order=display_order,
    )
