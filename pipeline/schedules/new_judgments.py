"""How many judgments are new to a schedule.

Counted are the judgments that a dataset could learn from, revisions included, so that the number of a campaign only
grows. What was there at a firing is stored with it, campaign by campaign; new is what came on top. Ids are no measure:
a judgment with a lower one may be committed later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count

from annotation.models import Judgment, Slot
from pipeline.models import ScheduleFiring, TrainingSchedule

Status = ScheduleFiring.Status
DECIDED = (Status.PROMOTED, Status.KEPT)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The judgments of a schedule's campaigns at some moment."""

    seen: dict[str, int]  # campaign id → how many there are
    new_by_campaign: dict[str, int]  # since the last firing that came to a decision
    num_since_start: int  # since the last firing that began, however it ended

    @property
    def num_new(self) -> int:
        return sum(self.new_by_campaign.values())

    @property
    def total(self) -> int:
        return sum(self.seen.values())


def count(schedule: TrainingSchedule) -> Counted:
    """What there is and what is new."""
    seen = _seen(schedule)
    begun = schedule.firings.exclude(status=Status.SKIPPED).order_by("-number")
    return Counted(
        seen=seen,
        new_by_campaign=_on_top(seen, begun.filter(status__in=DECIDED).first()),
        num_since_start=sum(_on_top(seen, begun.first()).values()),
    )


def _seen(schedule: TrainingSchedule) -> dict[str, int]:
    campaigns = list(schedule.campaigns.order_by("pk").values_list("pk", flat=True))
    rows = Judgment.objects.filter(
        comparison__campaign__in=campaigns, purpose__in=[Slot.Purpose.MAIN, Slot.Purpose.ADJUDICATION]
    ).exclude(annotator__in=schedule.filter.get("excluded_annotators", []))
    counts = dict(rows.order_by().values_list("comparison__campaign").annotate(Count("pk")))
    return {str(pk): counts.get(pk, 0) for pk in campaigns}


def _on_top(seen: Mapping[str, int], firing: ScheduleFiring | None) -> dict[str, int]:
    before: Mapping[str, int] = firing.judgments_seen if firing is not None else {}
    return {campaign: max(0, number - before.get(campaign, 0)) for campaign, number in seen.items()}
