"""Pipelines over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from pipeline.models import PipelineRun
from tests.factory import Factory

Api = Callable[..., APIClient]
PIPELINES = "/api/v1/pipelines"


def test_a_pipeline_starts_with_all_its_steps_waiting(factory: Factory, api: Api) -> None:
    response = api(factory.alice()).post(PIPELINES, {"workspace": factory.workspace().pk, "seed": 4})

    shown = response.json()
    assert response.status_code == 201
    assert shown["status"] == "running"
    assert shown["options"]["seed"] == 4
    assert {step["status"] for step in shown["steps"]} == {"waiting"}
    assert [step["number"] for step in shown["steps"]] == list(range(1, len(shown["steps"]) + 1))


@pytest.mark.parametrize(
    ("field", "value"), [("data", "/etc/passwd"), ("kind", "pairs"), ("seed", -1), ("sizes", 4), ("model", "a\0")]
)
def test_malformed_options_and_files_of_the_server_are_refused(
    factory: Factory, api: Api, field: str, value: Any
) -> None:
    response = api(factory.alice()).post(PIPELINES, {"workspace": factory.workspace().pk, field: value})

    assert response.status_code == 400
    assert response.json()["errors"].keys() == {field}
    assert not PipelineRun.objects.exists()


def test_a_pipeline_shows_its_steps_and_the_list_does_not(factory: Factory, api: Api) -> None:
    run, client = factory.pipeline(), api(factory.dana())

    steps = client.get(f"{PIPELINES}/{run.pk}").json()["steps"]
    (row,) = client.get(f"{PIPELINES}?status=running").json()["results"]

    assert [(step["key"], step["status"]) for step in steps] == [("prompts", "finished"), ("sft", "running")]
    assert "steps" not in row


def test_a_cancelled_pipeline_has_ended(factory: Factory, api: Api) -> None:
    run, client = factory.pipeline(), api(factory.alice())

    first, second = (client.post(f"{PIPELINES}/{run.pk}/cancel") for _ in range(2))

    assert first.json()["status"] == "cancelled"
    assert second.status_code == 409
