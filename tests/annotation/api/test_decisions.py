"""Adjudication and gold items over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from annotation.models import Annotator, Comparison, Judgment
from annotation.question import pairwise
from tests.factory import Factory

Api = Callable[..., APIClient]
COMPARISONS = "/api/v1/comparisons"


def test_a_disputed_comparison_is_taken_and_decided(factory: Factory, api: Api) -> None:
    campaign, client = factory.judged_campaign(), api(factory.alice())
    queue = f"/api/v1/campaigns/{campaign.pk}/adjudication"

    [waiting] = client.get(queue).json()["results"]
    address = f"{COMPARISONS}/{waiting['comparison']}"
    held = client.post(f"{address}/adjudication").json()
    [taken] = client.get(queue).json()["results"]
    body = {"token": held["token"], "answer": {"tiers": [[1], [0]], "rationale": "It answers."}, "idempotency_key": "k"}
    first, again = client.post(f"{address}/decision", body), client.post(f"{address}/decision", body)
    decisions = client.get(f"/api/v1/campaigns/{campaign.pk}/decisions").json()

    assert (waiting["votes"], waiting["disagreement"]) == ({"first": 1, "tied": 0, "second": 1}, 1.0)
    assert (waiting["taken_by"], taken["taken_by"]) == ("", "alice")
    assert (first.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert (first.json()["purpose"], first.json()["answer"]["tiers"]) == ("adjudication", [[1], [0]])
    assert [row["id"] for row in decisions["results"]] == [first.json()["id"]]
    assert client.get(queue).json()["count"] == 0


def test_whoever_decides_sees_the_replies_and_every_vote(factory: Factory, api: Api) -> None:
    campaign = factory.judged_campaign()
    comparison = campaign.comparisons.latest("pk")

    shown = api(factory.dana()).get(f"{COMPARISONS}/{comparison.pk}/adjudication").json()

    texts = comparison.candidates.order_by("position").values_list("completion__text", flat=True)
    assert [reply["text"] for reply in shown["replies"]] == list(texts)
    assert shown["messages"] == comparison.prompt.messages
    assert [vote["answer"]["tiers"] for vote in shown["votes"]] == [[[0], [1]], [[1], [0]]]
    assert shown["consensus"] is None


def test_a_decision_needs_the_lease_and_a_taken_one_can_be_given_back(factory: Factory, api: Api) -> None:
    comparison = factory.judged_campaign().comparisons.latest("pk")
    alice, eve = api(factory.alice()), api(factory.user("eve", role="manager"))
    address = f"{COMPARISONS}/{comparison.pk}"
    held = alice.post(f"{address}/adjudication").json()
    body = {"token": held["token"], "answer": {"tiers": [[0], [1]]}, "idempotency_key": "k"}

    refused = [eve.post(f"{address}/adjudication"), eve.post(f"{address}/decision", body)]
    released = alice.delete(f"{address}/adjudication")
    taken = eve.post(f"{address}/adjudication")
    late = alice.post(f"{address}/decision", body)

    assert [answer.status_code for answer in refused] == [409, 409]
    assert (released.status_code, taken.status_code) == (204, 200)
    assert (late.status_code, late.json()["type"]) == (409, "urn:concord:adjudication-refused")
    assert not Judgment.objects.filter(purpose="adjudication").exists()


def test_a_reopened_comparison_waits_again(factory: Factory, api: Api) -> None:
    campaign, client = factory.judged_campaign(), api(factory.alice())
    address = f"{COMPARISONS}/{campaign.comparisons.latest('pk').pk}"
    held = client.post(f"{address}/adjudication").json()
    client.post(
        f"{address}/decision", {"token": held["token"], "answer": {"tiers": [[0], [1]]}, "idempotency_key": "k"}
    )

    assert client.post(f"{address}/adjudication").status_code == 409
    assert client.delete(f"{address}/decision").status_code == 204
    assert client.get(f"/api/v1/campaigns/{campaign.pk}/adjudication").json()["count"] == 1
    assert client.post(f"{address}/adjudication").status_code == 200


def span(end: int) -> dict[str, Any]:
    return {"tiers": [[0], [1]], "spans": [{"completion": 0, "start": 0, "end": end, "label": "good"}]}


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ({}, "tiers_malformed"),
        (span(10_000), "span_outside"),
        ({"tiers": [[0], [1]], "strength": 9}, "strength_out_of_range"),
    ],
)
def test_a_decision_that_breaks_a_rule_is_refused_with_it(
    factory: Factory, api: Api, answer: dict[str, Any], rule: str
) -> None:
    comparison = factory.judged_campaign(question=pairwise(asks_spans=True)).comparisons.latest("pk")
    client, address = api(factory.alice()), f"{COMPARISONS}/{comparison.pk}"
    token = client.post(f"{address}/adjudication").json()["token"]

    response = client.post(f"{address}/decision", {"token": token, "answer": answer, "idempotency_key": "k"})

    assert (response.status_code, response.json()["rule"]) == (422, rule)


def test_a_comparison_is_marked_as_gold_changed_and_unmarked(factory: Factory, api: Api) -> None:
    campaign, client = factory.campaign(num_comparisons=2, overlap=2), api(factory.alice())
    comparison = campaign.comparisons.earliest("pk")
    address, listed = f"{COMPARISONS}/{comparison.pk}/gold", f"/api/v1/campaigns/{campaign.pk}/gold"

    client.post(address, {"answer": {"tiers": [[0], [1]]}})
    marked = client.post(address, {"answer": {"tiers": [[1], [0]]}, "note": "Checked.", "is_qualification": True})
    [item] = client.get(f"{listed}?is_qualification=true").json()["results"]
    wanted = campaign.slots.filter(withdrawn_at=None).count()
    removed = client.delete(address)

    assert (
        marked.json()
        == item
        == {
            "comparison": comparison.pk,
            "prompt": comparison.prompt_id,
            "answer": {"tiers": [[1], [0]]},
            "note": "Checked.",
            "is_qualification": True,
            "num_judged": 0,
            "num_missed": 0,
        }
    )
    assert (wanted, removed.status_code, client.get(listed).json()["count"]) == (2, 204, 0)
    assert campaign.slots.filter(withdrawn_at=None).count() == 4


def test_an_incoherent_known_answer_is_refused(factory: Factory, api: Api) -> None:
    comparison = factory.comparison(factory.campaign(question=pairwise(allows_ties=False)))

    response = api(factory.alice()).post(f"{COMPARISONS}/{comparison.pk}/gold", {"answer": {"tiers": [[0, 1]]}})

    assert (response.status_code, response.json()["rule"]) == (422, "tie_not_allowed")
    assert Comparison.objects.get(pk=comparison.pk).gold is None


def test_unmarking_an_ordinary_comparison_wants_nothing_again(factory: Factory, api: Api) -> None:
    comparison = factory.comparison(factory.campaign())
    comparison.slots.update(withdrawn_at="2026-01-01T00:00Z")

    response = api(factory.alice()).delete(f"{COMPARISONS}/{comparison.pk}/gold")

    assert response.status_code == 204
    assert not comparison.slots.filter(withdrawn_at=None).exists()


def test_unanimous_comparisons_become_gold_and_leave_the_candidates(factory: Factory, api: Api) -> None:
    campaign, client = factory.judged_campaign(num_comparisons=4, judges=2), api(factory.alice())
    address = f"/api/v1/campaigns/{campaign.pk}"

    candidates = client.get(f"{address}/gold-candidates").json()["results"]
    promoted = [
        client.post(f"{address}/gold/unanimous", body).json()["num_promoted"]
        for body in ({"min_judgments": 3}, {"min_judgments": 2, "limit": 1}, {"min_judgments": 2})
    ]

    assert [row["num_same"] for row in candidates] == [2, 2, 2, 1]
    assert candidates[0]["tiers"] == [[0], [1]]
    assert promoted == [0, 1, 2]  # the annotators disagree about the fourth
    assert {str(item.gold) for item in campaign.comparisons.filter(gold__isnull=False)} == {"{'tiers': [[0], [1]]}"}
    assert client.get(f"{address}/gold-candidates").json()["count"] == 1


def test_unanimous_gold_is_spread_over_prompts(factory: Factory, api: Api) -> None:
    campaign = factory.judged_campaign(num_comparisons=3, judges=2)
    first, second = campaign.comparisons.order_by("pk")[:2]
    again = factory.comparison(campaign, first.prompt)
    Comparison.objects.filter(pk=second.pk).update(prompt=first.prompt)
    for slot, judge in zip(again.slots.order_by("number"), judges_of(first), strict=True):
        factory.judgment(slot, judge)
    Comparison.objects.filter(pk=again.pk).update(prompt=factory.prompt())

    api(factory.alice()).post(f"/api/v1/campaigns/{campaign.pk}/gold/unanimous", {"min_judgments": 2, "limit": 2})

    assert set(campaign.comparisons.filter(gold__isnull=False)) == {first, again}


def judges_of(comparison: Comparison) -> list[Annotator]:
    """Who judged it, in the order of its slots."""
    return [judgment.annotator for judgment in comparison.judgments.order_by("slot__number")]


def test_unanimous_ties_and_those_who_cannot_judge_make_no_gold(factory: Factory, api: Api) -> None:
    campaign = factory.campaign(num_comparisons=2, overlap=2)
    judges = [factory.judge(), factory.judge()]
    tied, doubted = campaign.comparisons.order_by("pk")
    for slot, judge in zip(tied.slots.order_by("pk"), judges, strict=True):
        factory.judgment(slot, judge, tiers=[[0, 1]])
    for slot, judge in zip(doubted.slots.order_by("pk"), judges, strict=True):
        doubtful = factory.judgment(slot, judge)
    Judgment.objects.filter(pk=doubtful.pk).update(answer={"cant_judge": True})

    response = api(factory.alice()).post(f"/api/v1/campaigns/{campaign.pk}/gold/unanimous", {"min_judgments": 2})

    assert response.json() == {"num_promoted": 0}
