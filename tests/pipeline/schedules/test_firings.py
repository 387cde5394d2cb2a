"""Firings: why they begin, how they move, what they decide, and what happens when something breaks."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from annotation.models import Dataset
from core import jobs
from core.errors import IllegalTransition
from generation.models import LanguageModel
from pipeline import tasks
from pipeline.models import ScheduleFiring, TrainingSchedule
from pipeline.schedules import firings, services
from tests.conftest import Doorbell
from tests.factory import Factory
from tests.pipeline.schedules import walk
from tests.pipeline.schedules.test_new_judgments import judge_more
from training.models import TrainingRun

COUNT = {"trigger": "count", "cron": "", "min_new_judgments": 8}


def model_of(schedule: TrainingSchedule) -> LanguageModel:
    schedule.refresh_from_db()
    return schedule.current_model


# Why it fires, or not


def test_at_its_time_a_schedule_fires_if_anything_is_new(factory: Factory, doorbells: list[Doorbell]) -> None:
    schedule = walk.judged_schedule(factory)
    tasks.fire_at_time(schedule.pk)
    firing = schedule.firings.get()
    assert (firing.number, firing.trigger, firing.status, firing.step) == (1, "time", "running", "freeze")
    assert firing.reason == "Its time came: 8 judgments are new since the last decision, 1 or more were wanted."
    assert (firing.num_new_judgments, firing.baseline) == (8, schedule.current_model)
    dataset = firing.dataset
    assert dataset is not None
    assert (dataset.name, dataset.kind, list(dataset.campaigns.all())) == (
        f"{schedule.name} 1",
        "preferences",
        list(schedule.campaigns.all()),
    )


def test_without_news_it_is_skipped_and_says_so(factory: Factory) -> None:
    firing = walk.fire(factory.schedule())
    assert (firing.status, firing.dataset, firing.finished_at is None) == ("skipped", None, False)
    assert firing.reason == "0 judgments are new since the last decision, 1 or more were wanted."


def test_a_schedule_that_wants_both_waits_for_the_count_at_its_times(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory, trigger="both", min_new_judgments=9)
    assert walk.fire(schedule).status == "skipped"
    judge_more(factory, schedule, 1)
    assert walk.fire(schedule).status == "running"


def test_the_count_fires_when_it_is_reached_and_a_look_before_that_leaves_no_trace(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory, **{**COUNT, "min_new_judgments": 9})
    tasks.fire_at_count(schedule.pk)
    assert not schedule.firings.exists()
    judge_more(factory, schedule, 1)
    tasks.fire_at_count(schedule.pk)
    assert schedule.firings.get().reason.startswith("Enough judgments were new: 9 judgments are new")


def test_by_hand_it_fires_with_nothing_new_and_while_it_is_paused(factory: Factory) -> None:
    schedule = factory.schedule()
    services.pause(schedule=schedule)
    assert firings.fire(schedule_id=schedule.pk, asked="time") is None
    firing = services.run_now(schedule=schedule, user=factory.dana())
    assert (firing.status, firing.trigger, firing.created_by) == ("running", "hand", factory.dana())


# Overlap


def test_what_comes_while_one_runs_is_recorded_as_skipped(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory)
    first, second = walk.fire(schedule), walk.fire(schedule)
    by_hand = services.run_now(schedule=schedule)
    assert [first.status, second.status, by_hand.status] == ["running", "skipped", "skipped"]
    assert second.reason == "Firing 1 is still under way (freeze the dataset); two never overlap."
    assert Dataset.objects.count() == 1


def test_the_count_records_an_overlap_once_and_fires_when_the_way_is_free(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory, **COUNT)
    tasks.fire_at_count(schedule.pk)
    judge_more(factory, schedule, 8)
    for _ in range(3):
        tasks.fire_at_count(schedule.pk)
    assert list(schedule.firings.order_by("number").values_list("status", flat=True)) == ["running", "skipped"]
    firings.cancel(firing=schedule.firings.get(number=1))
    tasks.fire_at_count(schedule.pk)
    assert schedule.firings.get(number=3).status == "running"


def test_a_failure_is_not_repeated_every_minute(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory, **COUNT)
    tasks.fire_at_count(schedule.pk)
    firings.cancel(firing=schedule.firings.get())
    tasks.fire_at_count(schedule.pk)
    assert schedule.firings.count() == 1


def test_the_database_itself_refuses_two_running_firings(factory: Factory) -> None:
    first = factory.firing(status="running")
    with pytest.raises(IntegrityError, match="one_running_firing_a_schedule"), transaction.atomic():
        factory.firing(first.schedule, status="running")


# From step to step


def test_a_better_model_takes_the_place_of_the_current_one(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory, config={"beta": 0.3}, seed=10)
    before = schedule.current_model
    firing = walk.fire(schedule)
    walk.freeze(firing)

    firing = walk.go_on(firing)
    run = firing.training_run
    assert run is not None
    assert (firing.step, run.algorithm, run.init_model, run.dataset) == ("train", "dpo", before, firing.dataset)
    assert (run.config["beta"], run.seed) == (0.3, 11)
    walk.train(firing)

    firing = walk.go_on(firing)
    sampled, candidate = firing.sampling_run, firing.candidate
    assert sampled is not None
    assert candidate is not None
    assert sampled.split == "held_out"
    assert list(sampled.arms.values_list("model", flat=True)) == [before.pk, candidate.pk]
    assert (candidate.name, candidate.parent) == (f"{schedule.name} 1 (candidate)", before)
    walk.sample(firing)

    firing = walk.go_on(firing)
    evaluation = firing.evaluation_run
    assert evaluation is not None
    assert (evaluation.baseline, evaluation.subjects.get(), evaluation.judge) == (before, candidate, schedule.judge)
    walk.evaluate(firing)

    firing = walk.go_on(firing)
    assert (firing.status, firing.win_rate, firing.low, firing.high) == ("promoted", 1.0, 1.0, 1.0)
    assert "excludes zero" in firing.decision
    assert firing.finished_at is not None
    candidate.refresh_from_db()
    assert candidate.name == f"{schedule.name} 1"
    assert model_of(schedule) == candidate


def test_the_next_firing_starts_from_the_new_model_and_counts_from_this_one(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory)
    first = walk.to_the_end(walk.fire(schedule))
    assert walk.fire(schedule).reason.startswith("0 judgments are new")
    judge_more(factory, schedule, 2)
    third = walk.fire(schedule)
    assert (third.number, third.num_new_judgments, third.baseline) == (3, 2, first.candidate)


def test_a_model_that_may_be_better_by_chance_is_not_taken(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory)
    before = schedule.current_model
    firing = walk.to_the_end(walk.fire(schedule), num_right=2, num_baseline_right=1)
    assert firing.status == "kept"
    assert firing.low is not None
    assert firing.low <= 0.5
    assert "the interval includes zero" in firing.decision
    assert model_of(schedule) == before
    assert firing.candidate is not None
    assert firing.candidate.name.endswith("(candidate)")


def test_a_worse_model_is_not_taken(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory)
    firing = walk.to_the_end(walk.fire(schedule), num_right=0, num_baseline_right=999)
    assert (firing.status, "it is worse" in firing.decision) == ("kept", True)


def test_a_current_model_that_was_changed_meanwhile_stays(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory)
    firing = walk.fire(schedule)
    other = factory.model("chosen by hand")
    TrainingSchedule.objects.filter(pk=schedule.pk).update(current_model=other)
    firing = walk.to_the_end(firing)
    assert (firing.status, model_of(schedule)) == ("kept", other)
    assert "was changed meanwhile" in firing.decision


def test_a_firing_keeps_the_settings_that_it_began_with(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory, max_new_tokens=11)
    firing = walk.fire(schedule)
    changed = factory.plan(max_new_tokens=99, campaigns=list(schedule.campaigns.all()), min_margin=0.2)
    services.change_schedule(schedule=schedule, name="renamed", plan=changed)
    for step in (walk.freeze, walk.train):
        step(firing)
        firing = walk.go_on(firing)
    assert firing.sampling_run is not None
    assert set(firing.sampling_run.arms.values_list("max_new_tokens", flat=True)) == {11}
    assert firing.plan["min_margin"] == 0


def test_advancing_again_starts_nothing_twice(factory: Factory) -> None:
    firing = walk.fire(walk.judged_schedule(factory))
    walk.freeze(firing)
    for _ in range(3):
        tasks.advance_firings()
    assert (Dataset.objects.count(), TrainingRun.objects.count()) == (1, 1)


# What breaks


def test_a_failed_job_ends_the_firing_with_its_own_words(factory: Factory) -> None:
    firing = walk.fire(walk.judged_schedule(factory))
    walk.freeze(firing)
    firing = walk.go_on(firing)
    assert firing.training_run is not None
    held = jobs.claim(TrainingRun, firing.training_run.pk)
    assert held is not None
    jobs.fail(held, failure_kind="not_a_number", error="The loss is not a number at step 3.")
    tasks.advance_firings()
    firing.refresh_from_db()
    assert (firing.status, firing.step) == ("failed", "train")
    assert firing.error.endswith("failed: The loss is not a number at step 3.")


def test_a_dataset_without_rows_ends_it_and_the_next_night_tries_again(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory, filter={"min_votes": 99})
    firing = walk.fire(schedule)
    with pytest.raises(Exception, match="No row of"):
        walk.freeze(firing)
    assert "No row of" in walk.go_on(firing).error
    assert walk.fire(schedule).status == "running"


def test_a_cancelled_job_ends_it_too(factory: Factory) -> None:
    firing = walk.fire(walk.judged_schedule(factory))
    assert firing.dataset is not None
    jobs.request_cancel(firing.dataset)
    assert walk.go_on(firing).error.endswith("was cancelled.")


def test_a_step_that_cannot_start_leaves_nothing_half_done(factory: Factory) -> None:
    firing = walk.fire(walk.judged_schedule(factory))
    walk.freeze(firing)
    firing = walk.go_on(firing)
    assert firing.training_run is not None
    TrainingRun.objects.filter(pk=firing.training_run.pk).update(status="finished")  # and no checkpoint
    firing = walk.go_on(firing)
    assert (firing.status, firing.candidate, firing.sampling_run) == ("failed", None, None)
    assert firing.error.startswith("DoesNotExist: Checkpoint")


def test_a_firing_that_stumbles_does_not_hold_up_the_others(factory: Factory) -> None:
    bad, good = (walk.fire(walk.judged_schedule(factory)) for _ in range(2))
    assert bad.dataset is not None
    jobs.request_cancel(bad.dataset)
    walk.freeze(good)
    tasks.advance_firings()
    assert list(ScheduleFiring.objects.order_by("pk").values_list("status", "step")) == [
        ("failed", "freeze"),
        ("running", "train"),
    ]


def test_cancelling_stops_the_job_that_it_waits_for(factory: Factory) -> None:
    firing = walk.fire(walk.judged_schedule(factory))
    firings.cancel(firing=firing)
    firing.refresh_from_db()
    assert firing.dataset is not None
    assert (firing.status, firing.dataset.status) == ("cancelled", "cancelled")
    with pytest.raises(IllegalTransition, match="already ended"):
        firings.cancel(firing=firing)


def test_an_ended_firing_is_left_alone(factory: Factory) -> None:
    firing = factory.firing()
    firings.advance(pk=firing.pk)
    before = (firing.status, firing.finished_at)
    firing.refresh_from_db()
    assert (firing.status, firing.finished_at) == before


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"status": "promoted", "low": 0.5}, "promoted_models_are_better"),
        ({"status": "promoted", "win_rate": None}, "decisions_of_firings_have_figures"),
    ],
)
def test_the_database_refuses_a_promotion_without_grounds(
    factory: Factory, columns: dict[str, object], name: str
) -> None:
    firing = factory.firing()
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        ScheduleFiring.objects.filter(pk=firing.pk).update(**columns)


# Trying again


def failed_in_training(factory: Factory) -> ScheduleFiring:
    firing = walk.fire(walk.judged_schedule(factory))
    walk.freeze(firing)
    firing = walk.go_on(firing)
    assert firing.training_run is not None
    TrainingRun.objects.filter(pk=firing.training_run.pk).update(status="failed", error="No memory.")
    return walk.go_on(firing)


def test_a_failed_firing_goes_on_from_the_step_that_failed(factory: Factory) -> None:
    firing = failed_in_training(factory)
    dataset, first_run = firing.dataset, firing.training_run
    firings.retry(firing=firing)
    firing.refresh_from_db()
    assert (firing.status, firing.error, firing.finished_at, firing.dataset) == ("running", "", None, dataset)
    assert firing.training_run != first_run
    assert Dataset.objects.count() == 1
    assert walk.to_the_end(firing).status == "promoted"


def test_a_step_that_could_not_start_is_started_again(factory: Factory) -> None:
    firing = walk.fire(walk.judged_schedule(factory))
    walk.freeze(firing)
    assert firing.baseline is not None
    current = LanguageModel.objects.filter(pk=firing.baseline.pk)
    current.update(kind="reward")
    firing = walk.go_on(firing)
    assert (firing.status, firing.training_run) == ("failed", None)
    firings.retry(firing=firing)
    firing.refresh_from_db()
    assert (firing.status, "starts from a policy" in firing.error) == ("failed", True)
    current.update(kind="policy")
    firings.retry(firing=firing)
    firing.refresh_from_db()
    assert (firing.status, firing.step) == ("running", "train")


def test_only_the_last_firing_can_be_tried_again_and_only_if_it_failed(factory: Factory) -> None:
    firing = failed_in_training(factory)
    services.run_now(schedule=firing.schedule)
    with pytest.raises(IllegalTransition, match="Firing 2 came after it"):
        firings.retry(firing=firing)
    with pytest.raises(IllegalTransition, match="has not failed"):
        firings.retry(firing=firing.schedule.firings.get(number=2))


def test_a_failure_is_unattended_until_somebody_does_something(factory: Factory) -> None:
    firing = failed_in_training(factory)
    found = ScheduleFiring.objects.unattended_failures
    assert [row.pk for row in found()] == [firing.pk]
    factory.firing(firing.schedule, status="skipped")
    assert found().count() == 1
    services.pause(schedule=firing.schedule)
    assert not found()
    services.resume(schedule=firing.schedule)
    firings.retry(firing=firing)
    assert not found()
