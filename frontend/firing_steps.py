"""The steps of a firing as its page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import reverse

from accounts.models import User
from core.models import Job
from pipeline.models import ScheduleFiring
from pipeline.schedules.steps import STEPS

PAGES = {
    "dataset": "dataset",
    "training_run": "training-run",
    "sampling_run": "sampling-run",
    "evaluation_run": "evaluation",
}


@dataclass(frozen=True, kw_only=True)
class ShownStep:
    """A step, and the job that it started."""

    title: str
    job: Job | None
    state: str  # "waiting", or as the classes of pipeline steps are called
    url: str


def failures_for(user: User) -> QuerySet[ScheduleFiring]:
    """Failed firings that somebody should look at: shown on top of the overview and of the list of schedules."""
    rows = ScheduleFiring.objects.visible_to(user).unattended_failures()
    found: QuerySet[ScheduleFiring] = rows.select_related("schedule").order_by("-finished_at")
    return found


def steps_of(firing: ScheduleFiring) -> list[ShownStep]:
    """All steps in order; those that have not begun wait."""
    return [_shown(firing, kind.step, kind.column) for kind in STEPS]


def _shown(firing: ScheduleFiring, step: ScheduleFiring.Step, column: str) -> ShownStep:
    job: Job | None = getattr(firing, column)
    if job is None:
        could_not_start = firing.status == ScheduleFiring.Status.FAILED and _next_step(firing) == step
        return ShownStep(title=step.label, job=None, state="failed" if could_not_start else "waiting", url="")
    state = {"finished": "finished", "failed": "failed", "cancelled": "failed"}.get(job.status, "running")
    return ShownStep(title=step.label, job=job, state=state, url=reverse(PAGES[column], args=[job.pk]))


def _next_step(firing: ScheduleFiring) -> ScheduleFiring.Step | None:
    """The first step that has no job."""
    return next((kind.step for kind in STEPS if getattr(firing, kind.column) is None), None)
