"""Sampling runs and completions over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from generation.models import Completion
from tests.conftest import Doorbell
from tests.factory import Factory

Api = Callable[..., APIClient]
RUNS = "/api/v1/sampling-runs"


def test_a_run_is_queued_with_its_arms_and_its_doorbell(
    factory: Factory, api: Api, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    prompt_set, model = factory.prompt_set(num_prompts=2), factory.model()
    arms = [{"model": model.pk, "num_completions": 3, "temperature": 0.7}]
    body = {"workspace": factory.workspace().pk, "name": "first", "prompt_set": prompt_set.pk, "arms": arms, "seed": 7}

    with django_capture_on_commit_callbacks(execute=True):
        response = api(factory.dana()).post(RUNS, body)

    shown = response.json()
    assert response.status_code == 201
    assert (shown["status"], shown["created_by"], shown["seed"]) == ("queued", "dana", 7)
    assert shown["arms"][0].items() >= (arms[0] | {"top_p": 1.0, "max_new_tokens": 256, "stop": []}).items()
    assert doorbells == [Doorbell("generation.tasks.run_sampling", [shown["id"]], "gpu")]


def test_one_model_has_several_arms_under_names(factory: Factory, api: Api) -> None:
    model = factory.model("Base")
    arms = [{"model": model.pk}, {"model": model.pk, "name": "Brief", "system_prompt": "Be brief.", "stop": ["\n"]}]
    body = {"workspace": factory.workspace().pk, "name": "x", "prompt_set": factory.prompt().prompt_set_id}

    shown = api(factory.dana()).post(RUNS, {**body, "arms": arms}).json()["arms"]
    refused = api(factory.dana()).post(RUNS, {**body, "arms": arms[:1] * 2})

    assert [(arm["position"], arm["label"], arm["stop"]) for arm in shown] == [(0, "Base", []), (1, "Brief", ["\n"])]
    assert shown[1]["system_prompt"] == "Be brief."
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:concord:sampling-refused")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"arms": []}, "arms"),
        ({"arms": [{"num_completions": 4}]}, "arms"),
        ({"arms": [{"model": 1, "temprature": 1}]}, "arms"),
        ({"split": "half"}, "split"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"max_prompts": 0}, "max_prompts"),
    ],
)
def test_a_malformed_run_names_the_field(factory: Factory, api: Api, change: dict[str, Any], field: str) -> None:
    body = {
        "workspace": factory.workspace().pk,
        "name": "x",
        "prompt_set": factory.prompt_set(num_prompts=1).pk,
        "arms": [{"model": factory.model().pk}],
        **change,
    }

    response = api(factory.alice()).post(RUNS, body)

    assert response.status_code == 400
    assert response.json()["errors"].keys() == {field}


def test_an_empty_prompt_set_is_refused_by_the_service(factory: Factory, api: Api) -> None:
    body = {
        "workspace": factory.workspace().pk,
        "name": "x",
        "prompt_set": factory.prompt_set().pk,
        "arms": [{"model": factory.model().pk}],
    }

    response = api(factory.alice()).post(RUNS, body)

    assert response.status_code == 422
    assert "is empty; import prompts into it first" in response.json()["detail"]


def test_a_prompt_set_of_another_workspace_does_not_exist(factory: Factory, api: Api) -> None:
    foreign = factory.prompt_set(workspace=factory.workspace("Elsewhere"), num_prompts=1)
    body = {
        "workspace": factory.workspace().pk,
        "name": "x",
        "prompt_set": foreign.pk,
        "arms": [{"model": factory.model().pk}],
    }

    response = api(factory.alice()).post(RUNS, body)

    assert response.status_code == 400
    assert response.json()["errors"].keys() == {"prompt_set"}


def test_a_running_run_shows_progress_and_can_be_asked_to_stop(factory: Factory, api: Api) -> None:
    run = factory.sampling_run(status="running")
    client = api(factory.dana())

    response = client.post(f"{RUNS}/{run.pk}/cancel")

    assert response.json()["is_cancel_requested"] is True
    assert (response.json()["status"], response.json()["progress"]) == ("running", 0.5)


def test_an_ended_run_cannot_be_cancelled(factory: Factory, api: Api) -> None:
    run = factory.sampling_run()

    response = api(factory.dana()).post(f"{RUNS}/{run.pk}/cancel")

    assert response.status_code == 409
    assert response.json()["type"] == "urn:concord:illegal-transition"


def test_completions_are_listed_with_their_provenance(factory: Factory, api: Api) -> None:
    run = factory.sampling_run(num_completions=2)
    first, second = run.completions.order_by("pk")[:2]
    Completion.objects.filter(pk=second.pk).update(duplicate_of=first)
    client = api(factory.dana())

    everything = client.get(f"{RUNS}/{run.pk}/completions").json()
    duplicates = client.get(f"{RUNS}/{run.pk}/completions?is_duplicate=true").json()
    originals = client.get(f"{RUNS}/{run.pk}/completions?is_duplicate=false").json()

    assert everything["count"] == 6
    assert everything["results"][0]["model"] == run.arms.get().model_id
    assert [row["id"] for row in duplicates["results"]] == [second.pk]
    assert originals["count"] == 5


def test_the_list_takes_a_fixed_number_of_queries(
    factory: Factory, api: Api, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for _ in range(5):
        factory.sampling_run()
    client = api(factory.alice())

    with django_assert_max_num_queries(6):
        assert client.get(RUNS).json()["count"] == 5


def test_a_run_with_failures_says_how_many_and_why(factory: Factory, api: Api) -> None:
    failure = factory.sampling_failure()
    client = api(factory.dana())

    shown = client.get(f"{RUNS}/{failure.run_id}").json()
    listed = client.get(f"{RUNS}/{failure.run_id}/failures").json()["results"]

    assert (shown["status"], shown["num_failed"], shown["arms"][0]["figures"]["num_failed"]) == ("finished", 1, 1)
    assert [(row["prompt"], row["kind"], row["message"]) for row in listed] == [
        (failure.prompt_id, "ContextOverflow", "the prompt has 9999 tokens")
    ]


def test_what_is_missing_is_tried_again(
    factory: Factory, api: Api, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    run = factory.sampling_failure().run
    complete = factory.sampling_run()
    client = api(factory.dana())

    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(f"{RUNS}/{run.pk}/retry")

    assert (response.status_code, response.json()["status"]) == (200, "queued")
    assert doorbells == [Doorbell("generation.tasks.run_sampling", [run.pk], "gpu")]
    assert client.post(f"{RUNS}/{run.pk}/retry").json()["type"] == "urn:concord:illegal-transition"
    assert client.post(f"{RUNS}/{complete.pk}/retry").json()["type"] == "urn:concord:sampling-refused"


def test_figures_add_up_over_arms(factory: Factory, api: Api) -> None:
    run = factory.sampling_run(models=[factory.model(), factory.model()])
    run.arms.update(sampling_seconds=2.0, prompt_price=1, completion_price=5)
    run.completions.update(num_prompt_tokens=10, num_tokens=4, latency_ms=50.0)

    shown = api(factory.dana()).get(f"{RUNS}/{run.pk}").json()

    first = shown["arms"][0]["figures"]
    assert (first["num_completions"], first["num_prompt_tokens"], first["num_tokens"]) == (6, 30, 24)
    assert (first["latency_p50_ms"], first["latency_p95_ms"], first["tokens_per_second"]) == (50.0, 50.0, 12.0)
    assert first["cost"] == "0.000150"
    assert (shown["figures"]["num_tokens"], shown["figures"]["seconds"], shown["figures"]["cost"]) == (
        48,
        4.0,
        "0.000300",
    )
