"""Writes to schedules."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User, Workspace
from core.errors import IllegalTransition
from generation.services import NameTaken
from pipeline.models import ScheduleFiring, TrainingSchedule
from pipeline.schedules import firings, timing
from pipeline.schedules.plan import Plan, check


def create_schedule(*, workspace: Workspace, name: str, plan: Plan, user: User | None = None) -> TrainingSchedule:
    """A schedule that fires from now on. Raises `NameTaken` and what `plan.check` raises."""
    _check_name(workspace, name, besides=None)
    check(workspace, plan)
    with transaction.atomic():
        schedule = TrainingSchedule.objects.create(workspace=workspace, name=name, created_by=user, **plan.columns())
        schedule.campaigns.set(plan.campaigns)
        timing.set_times(schedule, cron=plan.cron, timezone=plan.timezone)
    return schedule


def change_schedule(*, schedule: TrainingSchedule, name: str, plan: Plan) -> TrainingSchedule:
    """Other settings from the next firing on; one that runs keeps those that it began with.

    Raises `NameTaken` and what `plan.check` raises.
    """
    _check_name(schedule.workspace, name, besides=schedule)
    check(schedule.workspace, plan)
    with transaction.atomic():
        locked = _locked(schedule)
        columns = {"name": name, **plan.columns()}
        for column, value in columns.items():
            setattr(locked, column, value)
        locked.save(update_fields=list(columns))
        locked.campaigns.set(plan.campaigns)
        timing.set_times(locked, cron=plan.cron, timezone=plan.timezone)
    return locked


def pause(*, schedule: TrainingSchedule) -> None:
    """Fire no more by itself; a firing that runs goes on. Raises `IllegalTransition` if it is paused."""
    _set_active(schedule, is_active=False)


def resume(*, schedule: TrainingSchedule) -> None:
    """Fire again from now on; what fell into the pause is not made up for. Raises `IllegalTransition` if it is not."""
    _set_active(schedule, is_active=True)


def delete_schedule(*, schedule: TrainingSchedule) -> None:
    """Remove it with its history and its times; what its firings made stays.

    Raises `IllegalTransition` while a firing runs.
    """
    with transaction.atomic():
        locked = _locked(schedule)
        running = locked.firings.filter(status=ScheduleFiring.Status.RUNNING).first()
        if running is not None:
            raise IllegalTransition(f"Firing {running.number} of {locked} is under way: cancel it first.")
        locked.delete()
        timing.forget(schedule.pk)


def run_now(*, schedule: TrainingSchedule, user: User | None = None) -> ScheduleFiring:
    """Fire at once, paused or not and however little is new; recorded as skipped while another firing runs."""
    firing = firings.fire(schedule_id=schedule.pk, asked=ScheduleFiring.Trigger.HAND, user=user)
    assert firing is not None  # noqa: S101 -- what was asked for by hand is always recorded
    return firing


def _set_active(schedule: TrainingSchedule, *, is_active: bool) -> None:
    with transaction.atomic():
        locked = _locked(schedule)
        if locked.is_active == is_active:
            state = "active" if is_active else "paused"
            raise IllegalTransition(f"{locked} is {state} already.")
        locked.is_active = schedule.is_active = is_active
        locked.save(update_fields=["is_active"])
        timing.set_enabled(locked, is_enabled=is_active)


def _locked(schedule: TrainingSchedule) -> TrainingSchedule:
    rows = TrainingSchedule.objects.select_for_update(of=("self",)).select_related("workspace")
    locked: TrainingSchedule = rows.get(pk=schedule.pk)
    return locked


def _check_name(workspace: Workspace, name: str, *, besides: TrainingSchedule | None) -> None:
    others = TrainingSchedule.objects.filter(workspace=workspace, name=name)
    if (others if besides is None else others.exclude(pk=besides.pk)).exists():
        raise NameTaken(f"{workspace} already has a schedule called {name!r}; choose another name.")
