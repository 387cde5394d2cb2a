"""Reads of campaigns, slots and judgments."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Count, Q

from accounts.querysets import VisibleMixin, WorkspaceQuerySet


class CampaignQuerySet(WorkspaceQuerySet):
    """Reads of campaigns."""

    def with_progress(self) -> Self:
        """Adds num_slots and num_judged, counted, never stored."""
        return self.annotate(
            num_slots=Count("slots", filter=Q(slots__purpose="main", slots__withdrawn_at=None)),
            num_judged=Count("slots", filter=Q(slots__purpose="main", slots__judged_at__isnull=False)),
        )


class OfCampaignQuerySet(VisibleMixin):
    """Rows that reach their workspace through a campaign."""

    workspace_path = "campaign__workspace"


class SlotQuerySet(OfCampaignQuerySet):
    """Reads of slots."""

    def open_lease_of(self, annotator_id: int) -> Self:
        """What the annotator holds and has not answered, expired or not: nobody has taken it over."""
        return self.filter(annotator_id=annotator_id, judged_at=None).order_by("pk")

    def claimable(self, *, now: datetime) -> Self:
        return self.filter(judged_at=None).filter(Q(annotator=None) | Q(leased_until__lt=now))


class JudgmentQuerySet(VisibleMixin):
    """Reads of judgments."""

    workspace_path = "comparison__campaign__workspace"

    def current(self) -> Self:
        """Without those that a newer revision replaced."""
        return self.filter(is_current=True)

    def standing_at(self, moment: datetime) -> Self:
        """Those that had been given by then, and that no revision had replaced by then.

        Decisions that were withdrawn since then are left out: nothing says when that was.
        """
        is_there = Q(is_current=True) | Q(revised_by__created_at__gt=moment)
        return self.filter(is_there, created_at__lte=moment)


class JudgingRunQuerySet(OfCampaignQuerySet):
    """Reads of judging runs."""


class JudgeVersionQuerySet(VisibleMixin):
    """Reads of judges' versions."""

    workspace_path = "judge__workspace"


class JudgeCallQuerySet(VisibleMixin):
    """Reads of judges' calls, in campaigns and in evaluations."""

    workspace_path = "version__judge__workspace"


class JudgeVerdictQuerySet(VisibleMixin):
    """Reads of judges' verdicts."""

    workspace_path = "run__campaign__workspace"

    def newest_of_each_comparison(self) -> Self:
        """Of main slots and calibrations, the verdict that came last."""
        return self.filter(purpose="main").order_by("comparison_id", "-pk").distinct("comparison_id")


class ConsensusRunQuerySet(OfCampaignQuerySet):
    """Reads of consensus runs."""


class DatasetQuerySet(WorkspaceQuerySet):
    """Reads of datasets."""


class AnnotatorQuerySet(WorkspaceQuerySet):
    """Reads of annotators."""

    def in_campaign(self, campaign: models.Model) -> Self:
        return self.filter(enrolments__campaign=campaign)

    def people(self) -> Self:
        """Who is no judge: people here, and imported ones unless their file calls them a judge."""
        return self.filter(Q(kind="person") | Q(kind="imported") & ~Q(parameters__contains={"source": "judge"}))
