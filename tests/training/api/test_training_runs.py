"""Training runs, metrics and checkpoints over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.conftest import Doorbell
from tests.factory import Factory
from training.models import TrainingRun

Api = Callable[..., APIClient]
RUNS = "/api/v1/training-runs"


def test_a_run_is_queued_with_its_whole_configuration(
    factory: Factory, api: Api, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    body = {
        "workspace": factory.workspace().pk,
        "name": "rm",
        "algorithm": "reward",
        "dataset": factory.dataset().pk,
        "init_model": factory.model().pk,
        "config": {"max_steps": 7},
        "seed": 3,
    }

    with django_capture_on_commit_callbacks(execute=True):
        shown = api(factory.dana()).post(RUNS, body).json()

    assert shown | {"config": None} == shown | body | {"config": None}
    assert shown["config"]["max_steps"] == 7
    assert shown["config"]["learning_rate"] > 0
    assert doorbells == [
        Doorbell("training.tasks.run_data_report", [shown["data_report"]], "light"),
        Doorbell("training.tasks.run_training", [shown["id"]], "gpu"),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"config": {"learning_rat": 1}}, "learning_rate"),
        ({"config": {"learning_rate": -1}}, "learning_rate must be positive"),
        ({"config": {"learning_rate": "fast"}}, "learning_rate"),
        ({"dataset": None}, "give dataset"),
        ({"init_model": None}, "give init_model"),
        ({"algorithm": "ppo"}, "PPO trains on the prompts"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(
    factory: Factory, api: Api, change: dict[str, Any], reason: str
) -> None:
    body = {
        "workspace": factory.workspace().pk,
        "name": "rm",
        "algorithm": "reward",
        "dataset": factory.dataset().pk,
        "init_model": factory.model().pk,
        **change,
    }

    response = api(factory.dana()).post(RUNS, body)

    assert response.status_code == 422
    assert reason in response.json()["detail"]
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"), [("algorithm", "magic"), ("config", "fast"), ("config", {"a": "\0"}), ("seed", 1.5)]
)
def test_a_malformed_field_is_named(factory: Factory, api: Api, field: str, value: Any) -> None:
    body = {"workspace": factory.workspace().pk, "name": "rm", "algorithm": "sft", field: value}

    response = api(factory.dana()).post(RUNS, body)

    assert response.status_code == 400
    assert response.json()["errors"].keys() == {field}


def test_a_failed_run_says_why(factory: Factory, api: Api) -> None:
    run = factory.training_run(status="failed")

    shown = api(factory.dana()).get(f"{RUNS}/{run.pk}").json()

    assert (shown["status"], shown["failure_kind"], shown["error"]) == ("failed", "data_error", "Row 3 has no text.")
    assert shown["seconds"] == 120.0


def test_the_list_leaves_out_what_is_long(factory: Factory, api: Api) -> None:
    factory.training_run()

    (row,) = api(factory.dana()).get(f"{RUNS}?algorithm=reward").json()["results"]

    assert "config" not in row
    assert "log_tail" not in row


def test_metrics_since_a_step(factory: Factory, api: Api) -> None:
    run, client = factory.training_run(num_steps=5), api(factory.dana())

    everything = client.get(f"{RUNS}/{run.pk}/metrics").json()
    newer = client.get(f"{RUNS}/{run.pk}/metrics?since=3&kind=step").json()
    evaluations = client.get(f"{RUNS}/{run.pk}/metrics?kind=evaluation").json()

    assert everything["count"] == 6
    assert [row["step"] for row in newer["results"]] == [4, 5]
    assert newer["results"][0]["values"] == {"loss": 0.25, "accuracy": 0.875}
    assert evaluations["results"][0]["values"] == {"held_out_accuracy": 0.75}


def test_sample_texts_of_a_run(factory: Factory, api: Api) -> None:
    run = factory.training_run()

    (row,) = api(factory.dana()).get(f"{RUNS}/{run.pk}/sample-texts").json()["results"]

    assert row == {"step": 5, "prompt": "What is 1 plus 1?", "text": "2"}


def test_a_queued_run_is_cancelled(factory: Factory, api: Api) -> None:
    run = factory.training_run(status="queued")

    assert api(factory.dana()).post(f"{RUNS}/{run.pk}/cancel").json()["status"] == "cancelled"


def test_checkpoints_are_listed_and_a_published_one_stays_published(factory: Factory, api: Api) -> None:
    run, client = factory.training_run(), api(factory.dana())
    checkpoint = run.checkpoints.get()
    checkpoint.language_model = factory.model("Published", kind="reward")
    checkpoint.save()

    (row,) = client.get(f"{RUNS}/{run.pk}/checkpoints?is_final=true").json()["results"]
    published = client.post(f"/api/v1/checkpoints/{row['id']}/publish", {"name": "Another name"}).json()

    assert row["path"] == "checkpoints/step-000005"
    assert (published["id"], published["name"]) == (row["language_model"], "Published")


def test_a_checkpoint_without_a_folder_is_not_published(factory: Factory, api: Api) -> None:
    checkpoint = factory.training_run().checkpoints.get()

    response = api(factory.dana()).post(f"/api/v1/checkpoints/{checkpoint.pk}/publish", {"name": "New"})

    assert response.status_code == 422
    assert response.json()["type"] == "urn:concord:model-refused"


def test_a_run_is_paused_and_resumed(factory: Factory, api: Api) -> None:
    run = factory.training_run(status="queued")
    client = api(factory.dana())
    assert client.post(f"{RUNS}/{run.pk}/pause").json()["status"] == "paused"
    assert [one["id"] for one in client.get(RUNS, {"status": "paused"}).json()["results"]] == [run.pk]
    refused = client.post(f"{RUNS}/{run.pk}/pause")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:concord:illegal-transition")
    assert client.post(f"{RUNS}/{run.pk}/resume").json()["status"] == "queued"


def test_a_running_run_shows_that_it_will_pause(factory: Factory, api: Api) -> None:
    run = factory.training_run(status="running")
    shown = api(factory.dana()).post(f"{RUNS}/{run.pk}/pause").json()
    assert (shown["status"], shown["is_pause_requested"]) == ("running", True)
