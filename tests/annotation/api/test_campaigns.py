"""Campaigns, comparisons, annotators, agreement and judgments over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.factory import Factory

Api = Callable[..., APIClient]
CAMPAIGNS = "/api/v1/campaigns"


def test_a_campaign_from_draft_to_closed(factory: Factory, api: Api) -> None:
    client, run = api(factory.alice()), factory.sampling_run()
    factory.bob()
    body = {
        "workspace": factory.workspace().pk,
        "name": "Helpfulness",
        "question": {"kind": "pairwise"},
        "guidelines": "Prefer the *right* one.",
        "overlap": 2,
    }

    campaign = client.post(CAMPAIGNS, body).json()
    address = f"{CAMPAIGNS}/{campaign['id']}"
    added = client.post(f"{address}/comparisons", {"sampling_run": run.pk})
    enrolled = client.post(f"{address}/annotators", {"username": "bob"})
    moves = [client.post(f"{address}/{move}").json()["status"] for move in ("open", "pause", "open", "close")]

    assert campaign["status"] == "draft"
    assert campaign["question"]["allows_ties"] is True
    assert added.json() == {"num_added": 3}
    assert enrolled.json()["annotator"]["user"] == "bob"
    assert moves == ["open", "paused", "open", "closed"]
    assert client.get(address).json()["num_slots"] == 6


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({}, "kind is missing"),
        ({"kind": "essay"}, "kind must be one of"),
        ({"kind": "pairwise", "num_completions": 3}, "compares 2 completions"),
        ({"kind": "pairwise", "colour": "red"}, "unknown fields"),
        ("pairwise", "Expected a JSON object"),
        ({"kind": "pairwise", "title": "\0"}, "NUL"),
    ],
)
def test_an_incoherent_question_is_refused_with_the_rule(
    factory: Factory, api: Api, question: Any, reason: str
) -> None:
    body = {"workspace": factory.workspace().pk, "name": "x", "question": question}

    response = api(factory.alice()).post(CAMPAIGNS, body)

    assert response.status_code == 400
    assert reason in response.json()["errors"]["question"][0]


def test_an_impossible_move_is_a_conflict(factory: Factory, api: Api) -> None:
    campaign = factory.campaign(status="closed")

    response = api(factory.alice()).post(f"{CAMPAIGNS}/{campaign.pk}/open")

    assert response.status_code == 409
    assert "is closed and cannot become open" in response.json()["detail"]


def test_progress_is_counted(factory: Factory, api: Api) -> None:
    campaign = factory.campaign(num_comparisons=3, overlap=2)
    factory.judgment(campaign.slots.earliest("pk"))

    shown = api(factory.dana()).get(f"{CAMPAIGNS}/{campaign.pk}").json()

    assert (shown["num_slots"], shown["num_judged"]) == (6, 1)


def test_comparisons_name_their_completions_by_position(factory: Factory, api: Api) -> None:
    campaign = factory.campaign()
    comparison = factory.comparison(campaign)
    factory.judgment(comparison.slots.get())

    (row,) = api(factory.dana()).get(f"{CAMPAIGNS}/{campaign.pk}/comparisons").json()["results"]

    placed = comparison.candidates.order_by("position").values_list("completion_id", flat=True)
    assert row["completions"] == list(placed)
    assert (row["num_slots"], row["num_judged"]) == (1, 1)


def test_a_sampling_run_of_another_workspace_does_not_exist(factory: Factory, api: Api) -> None:
    campaign = factory.campaign()
    foreign = factory.sampling_run(factory.prompt_set(workspace=factory.workspace("Elsewhere"), num_prompts=1))

    response = api(factory.alice()).post(f"{CAMPAIGNS}/{campaign.pk}/comparisons", {"sampling_run": foreign.pk})

    assert response.status_code == 400


@pytest.mark.parametrize("username", ["charlie", "nobody"])
def test_only_members_are_enrolled(factory: Factory, api: Api, username: str) -> None:
    factory.charlie()
    campaign = factory.campaign()

    response = api(factory.alice()).post(f"{CAMPAIGNS}/{campaign.pk}/annotators", {"username": username})

    assert response.status_code == 400
    assert response.json()["errors"]["username"] == ["No member of this workspace has this name."]


@pytest.mark.parametrize("body", [{}, {"annotator": 1, "username": "bob"}])
def test_an_enrolment_names_one_annotator(factory: Factory, api: Api, body: dict[str, Any]) -> None:
    response = api(factory.alice()).post(f"{CAMPAIGNS}/{factory.campaign().pk}/annotators", body)

    assert response.status_code == 400


def test_annotators_are_listed_with_their_number_of_judgments(factory: Factory, api: Api) -> None:
    campaign = factory.judged_campaign(num_comparisons=3)

    rows = api(factory.dana()).get(f"{CAMPAIGNS}/{campaign.pk}/annotators").json()["results"]

    assert [(row["annotator"]["kind"], row["num_judged"]) for row in rows] == [
        ("judge", 3),
        ("judge", 3),
        ("person", 0),
    ]


def test_agreement_comes_with_intervals_and_annotators(factory: Factory, api: Api) -> None:
    campaign = factory.judged_campaign(num_comparisons=4)

    found = api(factory.dana()).get(f"{CAMPAIGNS}/{campaign.pk}/agreement").json()

    raw = found["coefficients"][0]
    assert raw["label"] == "Raw agreement"
    assert raw["value"] == 0.75  # the two judges disagree about one of four
    assert raw["interval"][0] <= 0.75 <= raw["interval"][1]
    assert (raw["num_comparisons"], raw["num_judgments"]) == (4, 8)
    assert [row["num_judged"] for row in found["annotators"]] == [4, 4, 0]


def test_agreement_without_judgments_says_why_there_is_none(factory: Factory, api: Api) -> None:
    found = api(factory.dana()).get(f"{CAMPAIGNS}/{factory.campaign().pk}/agreement").json()

    assert found["coefficients"][0]["value"] is None
    assert found["coefficients"][0]["reason"]


def test_judgments_are_listed_for_managers(factory: Factory, api: Api) -> None:
    campaign = factory.judged_campaign(num_comparisons=2)
    other = factory.judged_campaign(num_comparisons=1)
    annotator = campaign.enrolments.earliest("pk").annotator

    client = api(factory.alice())
    everything = client.get(f"{CAMPAIGNS}/{campaign.pk}/judgments").json()
    own = client.get(f"{CAMPAIGNS}/{campaign.pk}/judgments?annotator={annotator.pk}&is_current=true").json()

    assert everything["count"] == 4
    assert other.comparisons.get().pk not in {row["comparison"] for row in everything["results"]}
    assert own["count"] == 2
    assert own["results"][0]["answer"] == {"tiers": [[0], [1]]}
    assert own["results"][0]["annotator_name"] == annotator.name


def test_a_judge_is_created_and_set_to_work(factory: Factory, api: Api, finish_jobs: Callable[[], int]) -> None:
    client, campaign = api(factory.alice()), factory.campaign(num_comparisons=2)
    body = {"workspace": factory.workspace().pk, "name": "Strict", "parameters": {"strictness": "strict"}}

    judge = client.post("/api/v1/annotators", body).json()
    run = client.post("/api/v1/judging-runs", {"campaign": campaign.pk, "annotator": judge["id"]}).json()
    finish_jobs()

    assert client.get(f"/api/v1/judging-runs/{run['id']}").json()["status"] == "finished"
    assert client.get(f"{CAMPAIGNS}/{campaign.pk}").json()["num_judged"] == 2


def test_an_unknown_judge_is_refused(factory: Factory, api: Api) -> None:
    body = {"workspace": factory.workspace().pk, "name": "Odd", "parameters": {"strictness": "odd"}}

    response = api(factory.alice()).post("/api/v1/annotators", body)

    assert response.status_code == 422
    assert "strict or lenient" in response.json()["detail"]


def test_lists_take_a_fixed_number_of_queries(
    factory: Factory, api: Api, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    campaign = factory.judged_campaign(num_comparisons=6)
    client = api(factory.alice())

    for path in ("", f"/{campaign.pk}/comparisons", f"/{campaign.pk}/judgments", f"/{campaign.pk}/annotators"):
        with django_assert_max_num_queries(6):
            assert client.get(f"{CAMPAIGNS}{path}").json()["count"] > 0
