"""Schedules of training over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from pipeline.models import TrainingSchedule
from pipeline.schedules import services
from tests.factory import Factory
from tests.pipeline.schedules import walk

Api = Callable[..., APIClient]
SCHEDULES = "/api/v1/training-schedules"


def body(factory: Factory, **fields: Any) -> dict[str, Any]:
    plan = factory.plan()
    return {
        "workspace": factory.workspace().pk,
        "name": "nightly",
        "trigger": "either",
        "cron": "0 2 * * *",
        "timezone": "Europe/Berlin",
        "min_new_judgments": 500,
        "campaigns": [campaign.pk for campaign in plan.campaigns],
        "algorithm": "dpo",
        "config": {"beta": 0.2},
        "current_model": plan.current_model.pk,
        "prompt_set": plan.prompt_set.pk,
        "judge": plan.judge.pk,
        "min_prompts": 2,
        **fields,
    }


def test_a_schedule_is_made_read_and_replaced(factory: Factory, api: Api) -> None:
    dana = api(factory.dana())
    sent = body(factory)
    made = dana.post(SCHEDULES, sent)
    assert made.status_code == 201
    shown = made.json()
    assert {name: shown[name] for name in sent} == sent
    assert (shown["is_active"], shown["created_by"], shown["num_completions"]) == (True, "dana", 1)

    address = f"{SCHEDULES}/{shown['id']}"
    changes = {"trigger": "count", "cron": "", "min_new_judgments": 9, "config": {}}
    changed = dana.put(address, {**{k: v for k, v in sent.items() if k not in ("workspace", "timezone")}, **changes})
    assert changed.status_code == 200
    assert dana.get(address).json() == changed.json()
    assert {name: changed.json()[name] for name in changes} == changes


@pytest.mark.parametrize(
    ("fields", "status", "where"),
    [
        ({"trigger": "sometimes"}, 400, "trigger"),
        ({"min_new_judgments": 0}, 400, "min_new_judgments"),
        ({"campaigns": []}, 400, "campaigns"),
        ({"current_model": 10**9}, 400, "current_model"),
        ({"config": []}, 400, "config"),
        ({"crom": "0 2 * * *"}, 400, "crom"),
        ({"cron": "0 25 * * *"}, 422, "urn:concord:timing-invalid"),
        ({"algorithm": "ppo"}, 422, "urn:concord:schedule-refused"),
        ({"config": {"bta": 1}}, 422, "urn:concord:training-refused"),
        ({"filter": {"min_vote": 1}}, 422, "urn:concord:filter-invalid"),
    ],
)
def test_what_is_wrong_is_named(factory: Factory, api: Api, fields: dict[str, Any], status: int, where: str) -> None:
    response = api(factory.dana()).post(SCHEDULES, body(factory, **fields))
    assert response.status_code == status
    answer = response.json()
    assert where in (answer["errors"] if status == 400 else {answer["type"]})
    assert not TrainingSchedule.objects.exists()


def test_a_dry_run_counts_and_changes_nothing(factory: Factory, api: Api) -> None:
    schedule = walk.judged_schedule(factory)
    shown = api(factory.dana()).get(f"{SCHEDULES}/{schedule.pk}/dry-run").json()
    assert (shown["would_fire"], shown["num_new_judgments"], shown["problem"]) == (True, 8, "")
    assert len(shown["steps"]) == len(shown["next_times"]) == 5
    assert shown["campaigns"][0]["num_new"] == 8
    assert not schedule.firings.exists()


def test_it_runs_on_demand_and_the_second_demand_is_skipped(factory: Factory, api: Api) -> None:
    schedule, dana = walk.judged_schedule(factory), api(factory.dana())
    first, second = (dana.post(f"{SCHEDULES}/{schedule.pk}/run") for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert [one.json()["status"] for one in (first, second)] == ["running", "skipped"]
    listed = dana.get(f"{SCHEDULES}/{schedule.pk}/firings?status=running").json()["results"]
    assert [(one["id"], one["dataset"]) for one in listed] == [(first.json()["id"], first.json()["dataset"])]
    cancelled = dana.post(f"/api/v1/schedule-firings/{first.json()['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert dana.post(f"/api/v1/schedule-firings/{first.json()['id']}/cancel").status_code == 409


def test_a_firing_shows_its_decision_and_figures(factory: Factory, api: Api) -> None:
    firing = walk.to_the_end(walk.fire(walk.judged_schedule(factory)))
    shown = api(factory.dana()).get(f"/api/v1/schedule-firings/{firing.pk}").json()
    assert (shown["status"], shown["win_rate"], shown["candidate"]) == ("promoted", 1.0, firing.candidate_id)
    assert "excludes zero" in shown["decision"]
    current = api(factory.dana()).get(f"{SCHEDULES}/{firing.schedule_id}").json()["current_model"]
    assert current == firing.candidate_id


def test_a_paused_schedule_can_be_found_and_resumed(factory: Factory, api: Api) -> None:
    schedule, dana = factory.schedule(), api(factory.dana())
    services.pause(schedule=schedule)
    assert dana.get(f"{SCHEDULES}?is_active=false").json()["count"] == 1
    assert dana.post(f"{SCHEDULES}/{schedule.pk}/pause").status_code == 409
    assert dana.post(f"{SCHEDULES}/{schedule.pk}/resume").json()["is_active"] is True
