"""What an annotator is not shown: categories that they opted out of, and sensitive tasks beyond the day's cap."""

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from annotation.models import Annotator, Campaign
from core.errors import ConcordError

SENSITIVE = "sensitive"  # the category of every sensitive prompt, whatever its tags
MAX_CATEGORIES = 100


class OptOutsInvalid(ConcordError):
    """The categories are not a list of names."""

    status = 422
    title = "These categories cannot be kept"


def opt_outs_today(campaign: Campaign, annotator: Annotator, now: datetime) -> list[str]:
    """The categories that are not to be served to the annotator now."""
    own: list[str] = list(annotator.opt_outs)
    if SENSITIVE not in own and campaign.exposure_cap is not None:
        since = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
        if num_sensitive_since(annotator, since) >= campaign.exposure_cap:
            own.append(SENSITIVE)
    return own


def num_sensitive_since(annotator: Annotator, since: datetime) -> int:
    """How many sensitive tasks the annotator has been served, in all campaigns."""
    return annotator.slots.filter(served_at__gte=since, comparison__categories__contains=[SENSITIVE]).count()


def set_opt_outs(*, annotator: Annotator, categories: Sequence[str]) -> None:
    """Keep what the annotator does not want to see; it holds from the next task on. Raises `OptOutsInvalid`."""
    if len(categories) > MAX_CATEGORIES or not all(
        isinstance(name, str) and 0 < len(name) <= 100 for name in categories
    ):
        raise OptOutsInvalid(f"Name at most {MAX_CATEGORIES} categories of 1–100 characters each.")
    annotator.opt_outs = sorted(set(categories))
    annotator.save(update_fields=["opt_outs"])
