"""Evaluations over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.factory import Factory

Api = Callable[..., APIClient]
EVALUATIONS = "/api/v1/evaluations"


@pytest.fixture
def body(factory: Factory) -> dict[str, Any]:
    baseline, subject = factory.model(), factory.model()
    run = factory.sampling_run(factory.prompt_set(num_prompts=2), models=[baseline, subject])
    return {
        "workspace": factory.workspace().pk,
        "name": "DPO against SFT",
        "kind": "win_rate",
        "subjects": [subject.pk],
        "baseline": baseline.pk,
        "sampling_run": run.pk,
        "judge": factory.judge().pk,
    }


def test_a_win_rate_is_queued(factory: Factory, api: Api, body: dict[str, Any]) -> None:
    response = api(factory.dana()).post(EVALUATIONS, body)

    assert response.status_code == 201
    assert response.json() | body == response.json()
    assert (response.json()["status"], response.json()["results"]) == ("queued", [])


@pytest.mark.parametrize("missing", ["baseline", "sampling_run", "judge"])
def test_a_win_rate_without_its_parts_is_refused(
    factory: Factory, api: Api, body: dict[str, Any], missing: str
) -> None:
    response = api(factory.dana()).post(EVALUATIONS, body | {missing: None})

    assert response.status_code == 422
    assert "A win rate needs baseline, sampling_run" in response.json()["detail"]


@pytest.mark.parametrize(("field", "value"), [("subjects", []), ("subjects", [0]), ("kind", "vibes"), ("judge", "x")])
def test_a_malformed_field_is_named(factory: Factory, api: Api, body: dict[str, Any], field: str, value: Any) -> None:
    response = api(factory.dana()).post(EVALUATIONS, body | {field: value})

    assert response.status_code == 400
    assert response.json()["errors"].keys() == {field}


def test_results_come_with_their_interval(factory: Factory, api: Api) -> None:
    evaluation = factory.evaluation()

    (result,) = api(factory.dana()).get(f"{EVALUATIONS}/{evaluation.pk}").json()["results"]

    assert (result["metric"], result["value"], result["low"], result["high"]) == ("win_rate", 0.62, 0.55, 0.69)
    assert result["model_name"] == evaluation.subjects.get().name


def test_evaluations_are_found_by_subject_and_kind(factory: Factory, api: Api) -> None:
    wanted, client = factory.evaluation(), api(factory.dana())
    factory.evaluation(kind="preference_accuracy")
    subject = wanted.subjects.get()

    assert client.get(f"{EVALUATIONS}?subject={subject.pk}").json()["count"] == 1
    assert client.get(f"{EVALUATIONS}?kind=preference_accuracy").json()["count"] == 1


def test_the_list_takes_a_fixed_number_of_queries(
    factory: Factory, api: Api, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for _ in range(4):
        factory.evaluation()
    client = api(factory.alice())

    with django_assert_max_num_queries(7):
        assert client.get(EVALUATIONS).json()["count"] == 4


# Judges with a language model


def test_a_judge_version_and_a_conflict_policy_are_named(factory: Factory, api: Api, body: dict[str, Any]) -> None:
    version = factory.llm_judge().versions.get()

    wanted = body | {"judge": None, "judge_version": version.pk, "conflict": "abstain"}
    answer = api(factory.dana()).post(EVALUATIONS, wanted).json()

    assert (answer["judge"], answer["judge_version"], answer["conflict"]) == (version.judge_id, version.pk, "abstain")


def test_pairs_come_with_their_state_and_the_numbers_of_their_calls(factory: Factory, api: Api) -> None:
    run, client = factory.llm_evaluation(), api(factory.dana())

    (pair,) = client.get(f"{EVALUATIONS}/{run.pk}/pairs?state=judged").json()["results"]

    assert (pair["outcome"], pair["is_flipped"], pair["subject"]) == (1.0, False, run.subjects.get().pk)
    assert client.get(f"/api/v1/judge-calls/{pair['calls'][0]}").json()["reply"] == "A"
    assert client.get(f"{EVALUATIONS}/{run.pk}/pairs?state=waiting").json()["count"] == 3


def test_the_list_of_pairs_takes_a_fixed_number_of_queries(
    factory: Factory, api: Api, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    run = factory.llm_evaluation()
    for pair in run.pairs.all():
        factory.pair_call(pair)
    client = api(factory.dana())

    with django_assert_max_num_queries(7):
        assert client.get(f"{EVALUATIONS}/{run.pk}/pairs").json()["count"] == 4
