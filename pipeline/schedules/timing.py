"""The times of schedules, kept in the tables of django-celery-beat, whose scheduler reads them.

A schedule with times has a periodic task with a crontab; one that waits for judgments has one with an interval, in
which it looks. Pausing disables both, and nothing that fell into a pause is made up for.
"""

from __future__ import annotations

import json
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from celery.schedules import ParseException
from django.core.exceptions import ValidationError
from django.utils import timezone as clock
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from django_celery_beat.tzcrontab import TzAwareCrontab

from core.errors import ConcordError
from pipeline.models import TrainingSchedule

FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")  # as cron orders them
LOOK_EVERY_SECONDS = 60  # at the number of new judgments
TIME_TASK = "pipeline.tasks.fire_at_time"
COUNT_TASK = "pipeline.tasks.fire_at_count"
MAX_FIELD_CHARACTERS = 60


class TimingInvalid(ConcordError):
    """Times that cannot be read, or never come."""

    status = 422
    title = "These times cannot be read"


def fields_of(cron: str) -> dict[str, str]:
    """ "0 2 * * *" by field. Raises `TimingInvalid`."""
    parts = cron.split()
    if len(parts) != len(FIELDS) or max(map(len, parts)) > MAX_FIELD_CHARACTERS:
        raise TimingInvalid(
            f"cron has five fields, minute, hour, day of month, month and day of week, such as 0 2 * * *; got {cron!r}."
        )
    return dict(zip(FIELDS, parts, strict=True))


def crontab_of(cron: str, timezone: str) -> TzAwareCrontab:
    """The times as Celery's beat understands them. Raises `TimingInvalid`."""
    if timezone not in available_timezones():
        raise TimingInvalid(f"{timezone!r} is no time zone; name one such as UTC or Europe/Berlin.")
    named = fields_of(cron)
    try:
        CrontabSchedule(**named, timezone=ZoneInfo(timezone)).clean_fields()  # as the admin's form reads them
        return TzAwareCrontab(**named, tz=ZoneInfo(timezone))  # as beat does
    except ValidationError as error:
        reason = "; ".join(error.messages)
    except (ParseException, ValueError, KeyError, TypeError) as error:  # Celery's parser has errors of all these kinds
        reason = str(error)
    reason = reason.rstrip(".")
    raise TimingInvalid(f"cron {cron!r} cannot be read: {reason}. Days of the week are 0 (Sunday) to 6.")


def next_times(cron: str, timezone: str, *, after: datetime, count: int = 5) -> list[datetime]:
    """The next `count` times after a moment, in the zone of the schedule. Raises `TimingInvalid`."""
    crontab = crontab_of(cron, timezone)
    times: list[datetime] = []
    at = after.astimezone(ZoneInfo(timezone))
    for _ in range(count):
        start, delta, _now = crontab.remaining_delta(at)
        at = _existing(start + delta)
        times.append(at)
    return times


def _existing(at: datetime) -> datetime:
    """The same moment by a clock that was put forward or back: 02:30 is 03:30 where 02:30 is left out."""
    return at.astimezone(ZoneInfo("UTC")).astimezone(at.tzinfo)


def in_words(cron: str, timezone: str) -> str:
    """ "At 02:00 AM UTC". Raises `TimingInvalid`."""
    crontab_of(cron, timezone)
    return str(CrontabSchedule(**fields_of(cron), timezone=ZoneInfo(timezone)).human_readable)


def set_times(schedule: TrainingSchedule, *, cron: str, timezone: str) -> None:
    """Make, change or remove the schedule's periodic tasks, so that it fires as its trigger says. In a transaction."""
    has_times = schedule.trigger != TrainingSchedule.Trigger.COUNT
    counts = schedule.trigger in {TrainingSchedule.Trigger.COUNT, TrainingSchedule.Trigger.EITHER}
    schedule.time_task = _task(schedule, "time", TIME_TASK, crontab=_crontab_row(cron, timezone)) if has_times else None
    schedule.count_task = _task(schedule, "count", COUNT_TASK, interval=_interval_row()) if counts else None
    schedule.save(update_fields=["time_task", "count_task"])
    kept = [task.pk for task in (schedule.time_task, schedule.count_task) if task is not None]
    for task in PeriodicTask.objects.filter(name__in=[_name(schedule.pk, "time"), _name(schedule.pk, "count")]):
        if task.pk not in kept:
            task.delete()


def set_enabled(schedule: TrainingSchedule, *, is_enabled: bool) -> None:
    """Let beat ring, or not. What fell into the time while it did not is not made up for."""
    for task in (schedule.time_task, schedule.count_task):
        if task is not None:
            task.enabled, task.last_run_at = is_enabled, clock.now()
            task.save()


def forget(schedule_id: int) -> None:
    """Remove the tasks of a schedule that is gone."""
    for task in PeriodicTask.objects.filter(name__in=[_name(schedule_id, "time"), _name(schedule_id, "count")]):
        task.delete()


def _task(schedule: TrainingSchedule, kind: str, task: str, **timing: object) -> PeriodicTask:
    values = {
        "task": task,
        "args": json.dumps([schedule.pk]),
        "enabled": schedule.is_active,
        "last_run_at": clock.now(),  # from now on: times that have passed are not made up for
        "expire_seconds": LOOK_EVERY_SECONDS - 5 if "interval" in timing else None,
        "description": f"Training schedule {schedule.name}"[:200],
        **timing,
    }
    return PeriodicTask.objects.update_or_create(name=_name(schedule.pk, kind), defaults=values)[0]


def _name(schedule_id: int, kind: str) -> str:
    return f"training-schedule-{schedule_id}-{kind}"


def _crontab_row(cron: str, timezone: str) -> CrontabSchedule:
    """The row of these times; schedules share it."""
    crontab_of(cron, timezone)
    values = {**fields_of(cron), "timezone": ZoneInfo(timezone)}
    return CrontabSchedule.objects.filter(**values).first() or CrontabSchedule.objects.create(**values)


def _interval_row() -> IntervalSchedule:
    values = {"every": LOOK_EVERY_SECONDS, "period": IntervalSchedule.SECONDS}
    return IntervalSchedule.objects.filter(**values).first() or IntervalSchedule.objects.create(**values)
