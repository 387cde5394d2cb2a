"""Making, changing, pausing schedules; what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django_celery_beat.models import PeriodicTask

from core.errors import ConcordError, IllegalTransition
from generation.models import LanguageModel
from generation.services import NameTaken
from pipeline.models import ScheduleFiring, TrainingSchedule
from pipeline.schedules import services
from pipeline.schedules.plan import plan_of
from tests.factory import Factory


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"trigger": "hourly"}, "schedule-refused", "trigger must be one of time, count, both, either"),
        ({"cron": ""}, "schedule-refused", "needs cron"),
        ({"cron": "0 2 * *"}, "timing-invalid", "five fields"),
        ({"timezone": "Berlin"}, "timing-invalid", "no time zone"),
        ({"min_new_judgments": 3}, "schedule-refused", "leave min_new_judgments out"),
        ({"trigger": "both"}, "schedule-refused", "needs min_new_judgments"),
        ({"trigger": "count", "min_new_judgments": 3}, "schedule-refused", "leave cron empty"),
        ({"trigger": "both", "min_new_judgments": 0}, "schedule-refused", "min_new_judgments must lie in 1–"),
        ({"campaigns": []}, "schedule-refused", "at least one campaign"),
        ({"filter": {"min_vote": 1}}, "filter-invalid", "Unknown filter 'min_vote'"),
        ({"algorithm": "ppo"}, "schedule-refused", "PPO needs a reward model of its own"),
        ({"algorithm": "reward"}, "schedule-refused", "algorithm must be one of sft, dpo, kto, orpo, simpo"),
        ({"config": {"bta": 1}}, "training-refused", "did you mean beta"),
        ({"config": {"beta": -1}}, "training-refused", "beta must be positive"),
        ({"max_prompts": 1}, "schedule-refused", "gives 1 held-out prompts to compare on, and min_prompts asks for 2"),
        ({"min_prompts": 1}, "schedule-refused", "min_prompts must lie in 2–"),
        ({"min_prompts": 999}, "schedule-refused", "no firing could decide"),
        ({"num_completions": 0}, "schedule-refused", "num_completions must lie in 1–64"),
        ({"seed": -1}, "schedule-refused", "seed must lie in 0–"),
        ({"temperature": -0.1}, "schedule-refused", "temperature"),
        ({"max_new_tokens": 0}, "schedule-refused", "max_new_tokens"),
        ({"min_margin": 0.5}, "schedule-refused", "from 0 to below 0.5"),
        ({"uses_managed_server": True}, "evaluation-refused", "for judges with a language model"),
    ],
)
def test_what_could_not_work_is_refused_before_anything_is_made(
    factory: Factory, settings: dict[str, Any], kind: str, words: str
) -> None:
    with pytest.raises(ConcordError, match=words) as refused:
        factory.schedule(**settings)
    assert refused.value.kind == kind
    assert not TrainingSchedule.objects.exists()


def test_rows_that_do_not_fit_are_refused(factory: Factory) -> None:
    elsewhere = factory.workspace("Elsewhere")
    for settings, words in (
        ({"current_model": factory.model(kind="reward")}, "starts from a policy"),
        ({"current_model": factory.model(source="named")}, "needs its weights"),
        ({"current_model": factory.model(workspace=elsewhere)}, "belongs to another workspace"),
        ({"campaigns": [factory.campaign(workspace=elsewhere)]}, "belongs to another workspace"),
        ({"judge": factory.person()}, "is not a judge"),
        ({"prompt_set": factory.prompt_set()}, "gives 0 held-out prompts"),
    ):
        with pytest.raises(ConcordError, match=words):
            factory.schedule(**settings)


def test_an_llm_judge_may_decide(factory: Factory) -> None:
    judge = factory.llm_judge()
    assert factory.schedule(judge=judge).judge == judge


def test_a_name_is_taken_once_in_a_workspace(factory: Factory) -> None:
    first = factory.schedule("nightly")
    with pytest.raises(NameTaken, match="already has a schedule called 'nightly'"):
        factory.schedule("nightly")
    services.change_schedule(schedule=first, name="nightly", plan=plan_of(first))
    assert factory.schedule("nightly", workspace=factory.workspace("Elsewhere")).pk != first.pk


def test_a_schedule_has_the_settings_that_it_was_given(factory: Factory) -> None:
    plan = factory.plan(trigger="either", min_new_judgments=7, min_margin=0.05, filter={"min_votes": 2}, seed=4)
    schedule = services.create_schedule(workspace=factory.workspace(), name="nightly", plan=plan)
    assert plan_of(TrainingSchedule.objects.get(pk=schedule.pk)) == plan


def test_a_schedule_pauses_and_resumes_once(factory: Factory) -> None:
    schedule = factory.schedule()
    services.pause(schedule=schedule)
    with pytest.raises(IllegalTransition, match="is paused already"):
        services.pause(schedule=schedule)
    services.resume(schedule=schedule)
    with pytest.raises(IllegalTransition, match="is active already"):
        services.resume(schedule=schedule)
    assert TrainingSchedule.objects.get().is_active


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"trigger": "count", "min_new_judgments": None}, "schedules_by_count_have_a_count"),
        ({"trigger": "count", "min_new_judgments": 0}, "schedules_by_count_have_a_count"),
        ({"min_new_judgments": 4}, "schedules_by_count_have_a_count"),
        ({"min_margin": 0.5}, "margin_of_a_schedule_can_be_reached"),
    ],
)
def test_the_database_refuses_what_the_services_refuse(factory: Factory, columns: dict[str, Any], name: str) -> None:
    schedule = factory.schedule()
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        TrainingSchedule.objects.filter(pk=schedule.pk).update(**columns)


def test_a_deleted_schedule_takes_its_times_and_history_and_leaves_what_it_made(factory: Factory) -> None:
    schedule = factory.schedule(trigger="either", min_new_judgments=5)
    firing = factory.firing(schedule)
    assert PeriodicTask.objects.filter(name__startswith=f"training-schedule-{schedule.pk}-").count() == 2
    services.delete_schedule(schedule=schedule)
    assert not PeriodicTask.objects.filter(name__startswith=f"training-schedule-{schedule.pk}-")
    assert not ScheduleFiring.objects.exists()
    assert firing.candidate is not None
    assert LanguageModel.objects.filter(pk=firing.candidate.pk).exists()


def test_a_schedule_with_a_running_firing_cannot_be_deleted(factory: Factory) -> None:
    firing = factory.firing(status="running")
    with pytest.raises(IllegalTransition, match="is under way: cancel it first"):
        services.delete_schedule(schedule=firing.schedule)
    assert TrainingSchedule.objects.exists()
