"""What a labeler's browser tabs hold at this moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from annotation import queue, slot_numbers
from annotation.models import Annotator, Enrolment, Slot
from core.compiled import CompiledQuery

MOST_NUMBERS = 50  # that a page may name

OPEN_SLOTS = CompiledQuery(
    lambda campaign, annotator: (
        Slot.objects.filter(campaign=campaign, withdrawn_at=None)
        .open_lease_of(annotator)
        .exclude(purpose=Slot.Purpose.ADJUDICATION)
    ),
    campaign=-1,
    annotator=-2,
)


@dataclass(frozen=True)
class OpenSlots:
    """The annotator's unanswered tasks of one campaign."""

    annotator: Annotator
    slots: Sequence[Slot]
    now: datetime

    @classmethod
    def of(cls, enrolment: Enrolment) -> "OpenSlots":
        """Asked for once a request."""
        tasks = OPEN_SLOTS.all(campaign=enrolment.campaign_id, annotator=enrolment.annotator_id)
        return cls(enrolment.annotator, tasks, timezone.now())

    def is_in_tab(self, *, other_than: str = "") -> bool:
        """Whether a live lease belongs to a tab other than this one."""
        return any(
            slot.tab not in ("", other_than) and slot.leased_until is not None and slot.leased_until > self.now
            for slot in self.slots
        )

    def name_tab(self, tab: str, holding: Sequence[int]) -> None:
        """Note the tab of tasks that were served with the page itself, before the tab had a name."""
        for slot in self.slots:
            if slot.pk in holding and not slot.tab:
                queue.take_over(slot_id=slot.pk, annotator=self.annotator, tab=tab)

    def move_to(self, tab: str) -> None:
        """The work goes on in this tab."""
        for slot in self.slots:
            queue.take_over(slot_id=slot.pk, annotator=self.annotator, tab=tab)


def slots_in(text: str) -> tuple[int, ...]:
    """The ids of the slots that a page names as "17,18"; what is no number is passed over."""
    return tuple(pk for word in text.split(",")[:MOST_NUMBERS] if (pk := slot_numbers.pk_in(word)))
