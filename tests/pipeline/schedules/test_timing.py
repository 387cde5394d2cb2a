"""The times, and the rows of django-celery-beat that keep them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from config.celery import app
from pipeline import tasks
from pipeline.models import TrainingSchedule
from pipeline.schedules import services, timing
from pipeline.schedules.timing import TimingInvalid
from tests.factory import Factory

FRIDAY = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)


def times(cron: str, zone: str = "UTC", *, after: datetime = FRIDAY, count: int = 3) -> list[str]:
    return [f"{at:%a %d %b %H:%M %z}" for at in timing.next_times(cron, zone, after=after, count=count)]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 2 * * *", ["Sat 21 Nov 02:00", "Sun 22 Nov 02:00", "Mon 23 Nov 02:00"]),
        ("30 23 * * *", ["Sat 21 Nov 23:30", "Sun 22 Nov 23:30", "Mon 23 Nov 23:30"]),
        ("15 4 * * 1-5", ["Mon 23 Nov 04:15", "Tue 24 Nov 04:15", "Wed 25 Nov 04:15"]),
        ("0 0,12 * * 0", ["Sun 22 Nov 00:00", "Sun 22 Nov 12:00", "Sun 29 Nov 00:00"]),
        ("0 3 1 * *", ["Tue 01 Dec 03:00", "Fri 01 Jan 03:00", "Mon 01 Feb 03:00"]),
    ],
)
def test_the_next_times_are_those_of_the_calendar(cron: str, expected: list[str]) -> None:
    assert times(cron) == [f"{one} +0000" for one in expected]


def test_times_are_those_of_the_zone_and_keep_to_the_clock_when_it_is_put_back_or_forward() -> None:
    before_winter = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert times("0 2 * * *", "Europe/Berlin", after=before_winter, count=2) == [
        "Sun 25 Oct 02:00 +0200",
        "Mon 26 Oct 02:00 +0100",
    ]
    before_summer = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert times("30 2 * * *", "Europe/Berlin", after=before_summer, count=2) == [
        "Sun 29 Mar 03:30 +0200",  # there is no 02:30 on that day
        "Mon 30 Mar 02:30 +0200",
    ]


@pytest.mark.parametrize(
    ("cron", "zone", "words"),
    [
        ("", "UTC", "five fields"),
        ("2 * *", "UTC", "five fields"),
        ("@daily", "UTC", "five fields"),
        ("61 2 * * *", "UTC", "cannot be read"),
        ("0 2 * * 7", "UTC", r"0 \(Sunday\) to 6"),
        ("0 2 30 2 *", "UTC", "cannot be read"),  # the 30th of February
        ("a b c d e", "UTC", "cannot be read"),
        ("0 2 */0 * *", "UTC", "cannot be read"),
        ("-1 2 * * *", "UTC", "cannot be read"),
        ("5-1 2 * * *", "UTC", "cannot be read"),
        ("*/61 2 * * *", "UTC", "cannot be read"),
        (f"{','.join(['0'] * 40)} 2 * * *", "UTC", "five fields"),
        ("0 2 * * *", "Mars/Olympus", "no time zone"),
        ("0 2 * * *", "", "no time zone"),
    ],
)
def test_times_that_cannot_be_read_or_never_come_are_refused(cron: str, zone: str, words: str) -> None:
    with pytest.raises(TimingInvalid, match=words):
        timing.next_times(cron, zone, after=FRIDAY)


def test_times_can_be_said_in_words() -> None:
    assert timing.in_words("0 2 * * *", "Europe/Berlin") == "At 02:00 AM Europe/Berlin"


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({"trigger": "time"}, ["time"]),
        ({"trigger": "both", "min_new_judgments": 5}, ["time"]),
        ({"trigger": "either", "min_new_judgments": 5}, ["count", "time"]),
        ({"trigger": "count", "cron": "", "min_new_judgments": 5}, ["count"]),
    ],
)
def test_each_trigger_has_its_rows_and_they_name_tasks_that_exist(
    factory: Factory, settings: dict[str, Any], kinds: list[str]
) -> None:
    schedule = factory.schedule(**settings)
    rows = list(PeriodicTask.objects.filter(name__startswith=f"training-schedule-{schedule.pk}-").order_by("name"))
    assert [row.name.rsplit("-", 1)[1] for row in rows] == kinds
    assert all(row.enabled and row.args == f"[{schedule.pk}]" and row.task in app.tasks for row in rows)
    assert {row.task for row in rows} <= {tasks.fire_at_time.name, tasks.fire_at_count.name}


def test_beat_finds_the_schedule_and_its_zone(factory: Factory) -> None:
    schedule = factory.schedule(cron="*/30 2,3 * * 1-5", timezone="Europe/Berlin")
    assert (schedule.cron, schedule.timezone) == ("*/30 2,3 * * 1-5", "Europe/Berlin")
    entry = ModelEntry(PeriodicTask.objects.get(), app=app)
    assert (entry.schedule.hour, entry.schedule.minute, entry.schedule.tz) == (
        {2, 3},
        {0, 30},
        ZoneInfo("Europe/Berlin"),
    )
    assert entry.args == [schedule.pk]


def test_schedules_share_the_row_of_equal_times(factory: Factory) -> None:
    for _ in range(2):
        factory.schedule(cron="5 1 * * *")
    assert CrontabSchedule.objects.filter(minute="5", hour="1").count() == 1


def test_other_settings_move_the_rows_and_beat_hears_of_it(factory: Factory) -> None:
    schedule = factory.schedule(trigger="either", min_new_judgments=5)
    heard = PeriodicTasks.last_change()
    changed = factory.plan(trigger="time", cron="0 4 * * *")
    services.change_schedule(schedule=schedule, name="other", plan=changed)
    assert PeriodicTasks.last_change() > heard
    assert [row.name for row in PeriodicTask.objects.all()] == [f"training-schedule-{schedule.pk}-time"]
    found = TrainingSchedule.objects.get()
    assert (found.cron, found.count_task, found.name) == ("0 4 * * *", None, "other")


def test_pausing_and_resuming_reaches_beat_and_makes_up_for_nothing(factory: Factory) -> None:
    schedule = factory.schedule()
    PeriodicTask.objects.update(last_run_at=FRIDAY - timedelta(days=400))
    assert ModelEntry(PeriodicTask.objects.get(), app=app).is_due().is_due
    services.pause(schedule=schedule)
    assert not DatabaseScheduler(app=app, lazy=True).enabled_models_qs().filter(name__contains="schedule-").exists()
    services.resume(schedule=schedule)
    row = PeriodicTask.objects.get()
    assert row.enabled
    assert not ModelEntry(row, app=app).is_due().is_due


def test_the_rows_of_a_schedule_that_is_gone_remove_themselves(factory: Factory) -> None:
    schedule = factory.schedule(trigger="either", min_new_judgments=5)
    TrainingSchedule.objects.all().delete()
    tasks.fire_at_count(schedule.pk)
    assert not PeriodicTask.objects.exists()


def test_our_reading_of_cron_is_no_wider_than_that_of_the_table(factory: Factory) -> None:
    """What is accepted here can be saved again in the admin's form of the crontab."""
    for cron in ("*/5 0-6/2 1,15 3-5 1-5", "0 2 * * 0,6"):
        schedule = factory.schedule(cron=cron)
        assert schedule.time_task is not None
        try:
            schedule.time_task.crontab.full_clean()
        except ValidationError as error:
            pytest.fail(str(error))
