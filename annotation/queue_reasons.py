"""Why a task was served, for operators, and why there is none, for labelers."""

from datetime import datetime

from django.db.models import F
from django.utils import timezone

from annotation.models import Annotator, Campaign, Enrolment, Slot
from annotation.opt_outs import opt_outs_today

SERVED = {
    "coverage": "It was the first in line: comparisons with fewer judgments go first.",
    "policy": "One more judgment of it tells most about the order of its prompt's completions.",
    "random": "It was drawn at random, so that the saving of the adaptive choice can be measured.",
    "gold": "A gold item was due.",
    "repeat": "A repeat with swapped sides was due.",
    "held": "It waits for the judge of this campaign's routing.",
    "routing": "It is the slot of this campaign's routing judge.",
    "adjudication": "Somebody took it from the adjudication queue.",
}


def why_served(slot: Slot) -> str:
    """Why this slot went to this annotator, in words for operators; never for labelers."""
    if slot.annotator_id is None:
        return SERVED["held"] if slot.served_because == "held" else "Nobody has it now."
    words = SERVED.get(slot.served_because, "It was not served by the queue: it was imported, or served long ago.")
    if slot.served_because == "policy":
        words += f" Its score was {slot.score:.4f}."
    if slot.priority:
        words += f" Its priority is {slot.priority}."
    return words


def why_nothing(*, campaign: Campaign, annotator: Annotator, now: datetime | None = None) -> str:
    """Why `claim_next_slot` has nothing for this annotator, in words for them."""
    now = now or timezone.now()
    enrolment = Enrolment.objects.filter(campaign=campaign, annotator=annotator).first()
    if enrolment is None:
        return "You are not enrolled in this campaign. Ask its manager to add you."
    if not enrolment.is_active:
        return f"Your work here is paused: {enrolment.pause_reason or 'ask the manager of this campaign'}."
    if campaign.status != Campaign.Status.OPEN:
        return f"This campaign is {campaign.get_status_display().lower()}: no tasks are served at the moment."
    if must_read_guidelines(campaign, enrolment):
        return f"The guidelines have changed (version {campaign.guideline_version}). Read them to go on."
    if not campaign.slots.exists() and not campaign.comparisons.exists():
        return "This campaign has no comparisons yet: it waits for candidates."
    return _why_no_slot(campaign, annotator, now)


def must_read_guidelines(campaign: Campaign, enrolment: Enrolment) -> bool:
    """Whether a person has to acknowledge the present guidelines before the next task."""
    is_person = enrolment.annotator.kind == Annotator.Kind.PERSON
    return bool(is_person and campaign.guidelines and enrolment.acknowledged_version < campaign.guideline_version)


def _why_no_slot(campaign: Campaign, annotator: Annotator, now: datetime) -> str:
    wanted = campaign.slots.filter(judged_at=None, withdrawn_at=None, purpose=Slot.Purpose.MAIN)
    open_slots = wanted.exclude(comparison__slots__annotator=annotator).exclude(comparison__skips__annotator=annotator)
    if not open_slots.exists():
        return "You have judged everything that this campaign wants from you. Thank you."
    hidden = opt_outs_today(campaign, annotator, now)
    visible = open_slots.exclude(comparison__categories__overlap=hidden) if hidden else open_slots
    if not visible.exists():
        return _why_hidden(annotator, hidden)
    soonest = visible.filter(leased_until__gte=now).order_by(F("leased_until").asc()).first()
    if soonest is not None and soonest.leased_until is not None:
        minutes = max(1, round((soonest.leased_until - now).total_seconds() / 60))
        return f"All remaining tasks are with other annotators; one may come free in {minutes} min."
    return "Nothing is free at this moment; try again."


def _why_hidden(annotator: Annotator, hidden: list[str]) -> str:
    if set(hidden) - set(annotator.opt_outs):
        return "You have seen as much sensitive material today as this campaign allows. Come back tomorrow."
    return f"All remaining tasks are of categories that you opted out of ({', '.join(hidden)})."
