"""Where a judge's calls are kept: with a campaign's judging run. Who else asks judges brings a log of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from annotation import judging
from annotation.models import JudgeCall, JudgingRun
from core.models import Job

Owner = tuple[int | None, str]  # what a call is about, and for which purpose


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One planned call, and what it is about."""

    comparison: int | None  # or the pair of an evaluation; None: an attack of the injection test
    purpose: str
    call: judging.JudgeCall


class CallLog(Protocol):
    """Keeps the calls of one job."""

    @property
    def job(self) -> Job:
        """What shows life with every commit."""

    def columns(self, one: Asked) -> dict[str, Any]:
        """The columns that say what a call belongs to."""

    def owners(self, rows: Sequence[JudgeCall]) -> dict[int, Owner]:
        """Of the rows that this job made, what each is about."""

    def store(self, given: Sequence[tuple[Asked, JudgeCall]]) -> None:
        """Insert the rows, inside a transaction."""


@dataclass(frozen=True)
class CampaignLog:
    """The calls of a judging run."""

    job: JudgingRun

    def columns(self, one: Asked) -> dict[str, Any]:
        return {"run": self.job, "comparison_id": one.comparison, "purpose": one.purpose}

    def owners(self, rows: Sequence[JudgeCall]) -> dict[int, Owner]:
        return {row.pk: (row.comparison_id, row.purpose) for row in rows if row.run_id == self.job.pk}

    def store(self, given: Sequence[tuple[Asked, JudgeCall]]) -> None:
        JudgeCall.objects.bulk_create([row for _, row in given])
