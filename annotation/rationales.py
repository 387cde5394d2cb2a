"""Which tasks demand a written reason."""

import zlib

from annotation.models import Campaign, Judgment, Slot
from annotation.question import Question


def is_wanted(slot: Slot, question: Question) -> bool:
    """Whether this very task demands a reason: always, for a fixed share of slots, or where judgments differ."""
    if question.rationale == "required":
        return True
    if question.rationale == "sampled":
        return zlib.crc32(f"rationale of slot {slot.pk}".encode()) < question.rationale_share * 2**32
    return question.rationale == "disputed" and slot.wants_rationale


def fix(slot: Slot, campaign: Campaign) -> None:
    """Decide at the time of serving whether the comparison is disputed, so that the task does not change later."""
    if campaign.question.get("rationale") != "disputed" or slot.wants_rationale or slot.draft is not None:
        return
    judged = Judgment.objects.current().filter(comparison_id=slot.comparison_id, purpose=Slot.Purpose.MAIN)
    said = {str(answer.get("tiers")) for answer in judged.values_list("answer", flat=True)}
    if len(said) > 1:
        Slot.objects.filter(pk=slot.pk).update(wants_rationale=True)
        slot.wants_rationale = True
