"""How fast a campaign is judged, and when it will be done: counts of judgments by hour or day, never stored.

The forecast resamples the counts of the recent past with a Bayesian bootstrap: weights for the past hours (or days)
are drawn from a Dirichlet distribution, which gives a rate; the work that is left, divided by it, gives a time. Its
interval says how far the past pace varied; it knows nothing of holidays, or of annotators who come or leave.

Source: D. Rubin, "The Bayesian bootstrap" (Annals of Statistics 9, 1981).
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.core.cache import cache
from django.db.models import Count, Max, Min
from django.db.models.functions import TruncDay, TruncHour
from django.utils import timezone

from annotation.campaign_report import FAST_SECONDS, REST
from annotation.models import Campaign, Slot

HOURS, DAYS = timedelta(hours=1), timedelta(days=1)
SHORT = timedelta(days=3)  # younger campaigns are counted by the hour
NUM_RECENT = {HOURS: 48, DAYS: 14}  # bins that a forecast rests on
FEWEST_BINS = 4
NUM_DRAWS = 4000


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """Judgments in consecutive bins of an hour or a day."""

    unit: str  # "hour" or "day"
    starts: list[datetime]
    counts: dict[str, list[int]]  # kind of annotator → judgments in each bin


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """When the rest will be judged. Where `middle` is None, `reason` says why there is no forecast."""

    num_left: int
    middle: datetime | None
    earliest: datetime | None  # 95 %, for the pace of the past
    latest: datetime | None
    per_day: float | None
    reason: str | None = None


def throughput(campaign: Campaign) -> Throughput:
    """Main judgments by hour in young campaigns, by day in others; of large campaigns kept in the cache for a while."""
    key = f"annotation.throughput.{campaign.pk}"
    found: Throughput | None = cache.get(key)
    if found is None:
        started = time.perf_counter()
        found = count_by_time(campaign)
        seconds = time.perf_counter() - started
        if seconds > FAST_SECONDS:
            cache.set(key, found, REST * seconds)
    return found


def count_by_time(campaign: Campaign, *, now: datetime | None = None) -> Throughput:
    """The same, fresh: from the first judgment until now, or until the last one if no more are served."""
    judged = Slot.objects.filter(campaign=campaign, purpose=Slot.Purpose.MAIN, judged_at__isnull=False)
    ends = judged.aggregate(first=Min("judged_at"), last=Max("judged_at"))
    if ends["first"] is None:
        return Throughput(unit="hour", starts=[], counts={})
    is_open = campaign.status == Campaign.Status.OPEN
    last = max(ends["last"], now or timezone.now()) if is_open else ends["last"]
    step = HOURS if last - ends["first"] <= SHORT else DAYS
    truncated = TruncHour("judged_at") if step == HOURS else TruncDay("judged_at")
    rows = judged.annotate(bin=truncated).values_list("bin", "annotator__kind").annotate(num=Count("pk"))
    starts = _bins(ends["first"], last, step)
    places = {start: place for place, start in enumerate(starts)}
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * len(starts))
    for start, kind, num in rows.order_by():
        counts[kind][places[start]] += num
    return Throughput(unit="hour" if step == HOURS else "day", starts=starts, counts=dict(sorted(counts.items())))


def forecast(campaign: Campaign, past: Throughput, *, num_left: int, now: datetime | None = None) -> Forecast:
    """When the judgments that are left will have been given, at the recent pace."""
    now = now or timezone.now()
    if not num_left:
        return _unknown(0, "everything that is wanted has been judged")
    if campaign.status != Campaign.Status.OPEN:
        return _unknown(num_left, f"the campaign is {campaign.get_status_display().lower()}: nothing is served")
    step = HOURS if past.unit == "hour" else DAYS
    recent = np.sum([counts[-NUM_RECENT[step] :] for counts in past.counts.values()] or [[0]], axis=0)[:-1]
    if len(recent) < FEWEST_BINS or not recent.sum():
        needed = f"{FEWEST_BINS} whole {past.unit}s with judgments in them"
        return _unknown(num_left, f"a forecast needs {needed}; there are {int((recent > 0).sum())}")
    weights = np.random.default_rng(0).dirichlet(np.ones(len(recent)), size=NUM_DRAWS)
    low, middle, high = np.quantile(num_left / np.maximum(weights @ recent, 1e-9), [0.025, 0.5, 0.975])
    longest = timedelta(days=3650)
    moments = [now + min(longest, step * float(bins)) for bins in (low, middle, high)]
    per_day = float(recent.mean() * (DAYS / step))
    return Forecast(num_left=num_left, earliest=moments[0], middle=moments[1], latest=moments[2], per_day=per_day)


def _bins(first: datetime, last: datetime, step: timedelta) -> list[datetime]:
    start = first.replace(hour=first.hour if step == HOURS else 0, minute=0, second=0, microsecond=0)
    return [start + step * number for number in range(int((last - start) / step) + 1)]


def _unknown(num_left: int, reason: str) -> Forecast:
    return Forecast(num_left=num_left, middle=None, earliest=None, latest=None, per_day=None, reason=reason)
