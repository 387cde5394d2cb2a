"""Alerts about annotators of open campaigns, raised by beat when there are new judgments."""

from __future__ import annotations

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from annotation import annotator_flags, quality_pauses
from annotation.annotator_report import AnnotatorWork
from annotation.campaign_report import dashboard, newest_judgment
from annotation.models import Alert, Annotator, Campaign, Enrolment

ALERTING = {
    annotator_flags.POSITION_BIAS,
    annotator_flags.SPEED,
    annotator_flags.SELF_CONSISTENCY,
    annotator_flags.OUTLIER,
}
MAX_ANSWER = 2000  # characters
REMEMBERED_SECONDS = 7 * 24 * 3600


def watch_open_campaigns() -> int:
    """Look at every open campaign that has new judgments; returns how many alerts were raised or brought up to date."""
    return sum(watch(campaign) for campaign in Campaign.objects.filter(status=Campaign.Status.OPEN))


def watch(campaign: Campaign) -> int:
    """The same for one campaign. A campaign without new judgments since the last look is passed over."""
    key, newest = f"annotation.watched.{campaign.pk}", newest_judgment(campaign)
    if cache.get(key) == newest:
        return 0
    annotators = Annotator.objects.filter(enrolments__campaign=campaign).in_bulk()
    works = [work for pk, work in dashboard(campaign).annotators.items() if pk in annotators]
    num_raised = sum(_alert(campaign, annotators[work.annotator], work) for work in works)
    cache.set(key, newest, REMEMBERED_SECONDS)
    return num_raised


def _alert(campaign: Campaign, annotator: Annotator, work: AnnotatorWork) -> int:
    flags = [flag for flag in work.flags if flag.kind in ALERTING]
    known = _resolved_messages(campaign, annotator)
    for flag in flags:
        message = f"{annotator} {flag.words}."
        if (flag.kind, message) in known:  # a manager has seen exactly this
            continue
        quality_pauses.raise_alert(campaign=campaign, annotator=annotator, kind=flag.kind, message=message)
        if flag.kind == annotator_flags.OUTLIER and campaign.pause_below is not None:
            quality_pauses.pause(campaign=campaign, annotator=annotator, kind=flag.kind, reason=_reason(work))
    return len(flags)


def _resolved_messages(campaign: Campaign, annotator: Annotator) -> set[tuple[str, str]]:
    rows = Alert.objects.filter(campaign=campaign, annotator=annotator, resolved_at__isnull=False)
    return set(rows.values_list("kind", "message"))


def _reason(work: AnnotatorWork) -> str:
    mean = work.outlier.mean if work.outlier else 0.0
    return (
        f"your answers agree with those of the others in {mean:.0%} of the tasks that you share, less than is asked for"
    )


def resolve(alert: Alert) -> None:
    """Note that a manager has seen it; it is raised again only if there is something new to say."""
    Alert.objects.filter(pk=alert.pk, resolved_at=None).update(resolved_at=timezone.now())


def uphold_pause(*, enrolment: Enrolment, answer: str = "") -> None:
    """Keep a pause that was disputed: the answer is added to the reason, and the dispute's alert is resolved.

    Raises `DisputeRefused` if the annotator is not paused.
    """
    answer = answer.strip()[:MAX_ANSWER]
    reason = f"{enrolment.pause_reason}. The manager has read what you wrote: {answer}" if answer else ""
    with transaction.atomic():
        changes = {"disputed_at": None, "dispute": "", **({"pause_reason": reason} if reason else {})}
        if not Enrolment.objects.filter(pk=enrolment.pk, is_active=False).update(**changes):
            raise quality_pauses.DisputeRefused(f"{enrolment.annotator} is not paused: there is nothing to uphold.")
        Alert.objects.filter(
            campaign=enrolment.campaign_id, annotator=enrolment.annotator_id, kind="dispute", resolved_at=None
        ).update(resolved_at=timezone.now())
