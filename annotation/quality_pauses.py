"""Pausing an annotator for quality, what they say against it, and how it ends."""

from django.utils import timezone

from annotation.models import Alert, Annotator, Campaign, Enrolment
from core.errors import ConcordError

MAX_DISPUTE_CHARACTERS = 5000


class DisputeRefused(ConcordError):
    """There is no pause to speak against, or nothing was said."""

    status = 409
    title = "This cannot be disputed"


def pause(*, campaign: Campaign, annotator: Annotator, kind: str, reason: str) -> None:
    """Serve the annotator nothing more, tell them why, and alert the managers. An open lease may be answered."""
    paused = Enrolment.objects.filter(campaign=campaign, annotator=annotator, is_active=True).update(
        is_active=False, pause_reason=reason, paused_at=timezone.now(), dispute="", disputed_at=None
    )
    if paused:
        raise_alert(campaign=campaign, annotator=annotator, kind=kind, message=f"{annotator} is paused: {reason}.")


def raise_alert(*, campaign: Campaign, annotator: Annotator, kind: str, message: str) -> Alert:
    """Tell the managers once; an open alert of the same kind is brought up to date."""
    alert, _ = Alert.objects.update_or_create(
        campaign=campaign, annotator=annotator, kind=kind, resolved_at=None, defaults={"message": message}
    )
    return alert


def dispute(*, campaign: Campaign, annotator: Annotator, text: str) -> None:
    """Keep what a paused annotator says; it is shown to the managers. Raises `DisputeRefused`."""
    text = text.strip()[:MAX_DISPUTE_CHARACTERS]
    if not text:
        raise DisputeRefused("Say in a sentence or two why the pause is wrong.")
    told = Enrolment.objects.filter(campaign=campaign, annotator=annotator, is_active=False).update(
        dispute=text, disputed_at=timezone.now()
    )
    if not told:
        raise DisputeRefused("You are not paused in this campaign.")
    raise_alert(
        campaign=campaign, annotator=annotator, kind="dispute", message=f"{annotator} disputes the pause: {text}"
    )


def resume(*, campaign: Campaign, annotator: Annotator) -> None:
    """Serve the annotator again, as qualified; the alerts about the pause are resolved."""
    Enrolment.objects.filter(campaign=campaign, annotator=annotator).update(
        is_active=True, pause_reason="", paused_at=None, qualified_at=timezone.now()
    )
    Alert.objects.filter(campaign=campaign, annotator=annotator, resolved_at=None).update(resolved_at=timezone.now())
