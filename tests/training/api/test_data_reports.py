"""Reports, estimates and model cards over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.factory import Factory
from training.models import DataReport, TrainingRun

Api = Callable[..., APIClient]
REPORTS = "/api/v1/data-reports"
ESTIMATE = "/api/v1/training-runs/estimate"


def body(factory: Factory, **changes: Any) -> dict[str, Any]:
    parts = {"dataset": factory.dataset().pk, "init_model": factory.model().pk}
    return {"workspace": factory.workspace().pk, "name": "Run", "algorithm": "dpo", **parts, **changes}


def test_a_report_is_asked_for_written_and_read(factory: Factory, api: Api, finish_jobs: Callable[[], int]) -> None:
    client = api(factory.dana())
    asked = client.post(REPORTS, {"algorithm": "dpo", "dataset": factory.dataset().pk}).json()
    assert (asked["status"], asked["report"]) == ("queued", {})

    finish_jobs()

    shown = client.get(f"{REPORTS}/{asked['id']}").json()
    assert shown["status"] == "finished"
    assert shown["report"]["splits"]["train"]["rows"] == 6
    assert shown["created_by"] == "dana"


def test_the_same_question_has_one_report(factory: Factory, api: Api) -> None:
    question = {"algorithm": "dpo", "dataset": factory.dataset().pk, "config": {"max_prompt_tokens": 5}}
    client = api(factory.dana())

    assert client.post(REPORTS, question).json()["id"] == client.post(REPORTS, question).json()["id"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"algorithm": "ppo"}, "PPO trains on the prompts"),
        ({"config": {"max_prompt_token": 3}}, "did you mean max_prompt_tokens"),
        ({"dataset": None}, "give dataset"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    factory: Factory, api: Api, change: dict[str, Any], reason: str
) -> None:
    reply = api(factory.dana()).post(REPORTS, {"algorithm": "dpo", "dataset": factory.dataset().pk, **change})

    assert reply.status_code == 422
    assert reason in reply.json()["detail"]
    assert not DataReport.objects.exists()


def test_an_estimate_starts_nothing(factory: Factory, api: Api) -> None:
    shown = api(factory.dana()).post(ESTIMATE, body(factory)).json()

    assert shown["num_steps"] == 1
    assert (shown["is_counted"], shown["refusal"], shown["memory"], shown["warnings"]) == (False, None, None, [])
    assert not TrainingRun.objects.exists()
    assert not DataReport.objects.exists()


def test_an_estimate_of_a_fresh_model_has_bytes_and_seconds(factory: Factory, api: Api) -> None:
    fresh = body(factory, algorithm="sft", dataset=factory.dataset(kind="demonstrations").pk, init_model=None)

    shown = api(factory.dana()).post(ESTIMATE, fresh).json()

    assert shown["memory_bytes"] == sum(shown["memory"].values())
    assert shown["disk_bytes"] == sum(shown["disk"].values())
    assert shown["seconds"] == pytest.approx(shown["flops"] / shown["speed"])


def test_an_estimate_says_what_would_be_refused(factory: Factory, api: Api) -> None:
    fresh = body(factory, algorithm="sft", dataset=factory.dataset(kind="demonstrations").pk, init_model=None)

    shown = api(factory.dana()).post(ESTIMATE, fresh | {"config": {"max_prompt_tokens": 600}}).json()

    assert "the model has 512 positions" in shown["refusal"]


def test_a_run_shows_its_estimate_and_its_card(factory: Factory, api: Api) -> None:
    client = api(factory.dana())
    made = client.post("/api/v1/training-runs", body(factory)).json()

    shown = client.get(f"/api/v1/training-runs/{made['id']}").json()

    assert shown["estimate"]["num_steps"] == 1
    assert shown["data_report"] == DataReport.objects.get().pk
    assert client.get(f"/api/v1/training-runs/{made['id']}/card").json()["markdown"].count("# Run\n") == 1
