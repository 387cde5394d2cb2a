"""What would be done, and on how much; nothing is."""

from __future__ import annotations

from datetime import UTC, datetime

from annotation.models import Dataset
from pipeline.models import ScheduleFiring, TrainingSchedule
from pipeline.schedules import new_judgments, services
from pipeline.schedules.dry_run import DryRun, dry_run
from tests.factory import Factory
from tests.pipeline.schedules import walk

NOW = datetime(2026, 11, 20, 23, tzinfo=UTC)


def tried(schedule: TrainingSchedule) -> DryRun:
    return dry_run(TrainingSchedule.objects.get(pk=schedule.pk), now=NOW)


def test_it_says_what_would_be_done_on_how_many_judgments_and_does_nothing(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory, min_margin=0.03)
    said = tried(schedule)
    assert (said.would_fire, said.num_judgments, said.num_new_judgments, said.problem) == (True, 8, 8, "")
    assert [(one.num_judgments, one.num_new) for one in said.campaigns] == [(8, 8)]
    assert said.steps[0].startswith("Freeze a dataset of preferences from 8 judgments, 8 of them new, of campaign")
    assert said.steps[1] == f"Train {schedule.current_model} further by DPO on it."
    assert "lies above zero and the margin is at least 3 points, on at least 2 prompts" in said.steps[-1]
    assert [f"{at:%d %H:%M}" for at in said.next_times] == [f"{day} 02:00" for day in (21, 22, 23, 24, 25)]
    assert not ScheduleFiring.objects.exists()
    assert not Dataset.objects.exists()


def test_it_says_why_nothing_would_be_done(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory, trigger="either", min_new_judgments=9)
    factory.firing(schedule, judgments_seen=new_judgments.count(schedule).seen)
    said = tried(schedule)
    assert not said.would_fire
    assert said.reason == "0 judgments are new since the last decision, 1 or more were wanted."


def test_a_running_firing_and_a_pause_are_in_the_way(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory)
    walk.fire(schedule)
    assert "two never overlap" in tried(schedule).reason
    services.pause(schedule=schedule)
    said = tried(schedule)
    assert (said.would_fire, said.next_times, "paused" in said.reason) == (False, [], True)


def test_what_went_wrong_since_it_was_made_is_a_problem(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory)
    schedule.prompt_set.prompts.all().delete()
    assert "gives 0 held-out prompts" in tried(schedule).problem


def test_a_count_alone_has_no_times(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory, trigger="count", cron="", min_new_judgments=8)
    said = tried(schedule)
    assert (said.would_fire, said.next_times) == (True, [])
    assert said.reason.startswith("Enough judgments were new")
