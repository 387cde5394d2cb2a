"""The labeler's part of the API: one task at a time, and nothing that a labeler must not know."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from annotation import slot_numbers
from annotation.models import Annotator, Campaign, Enrolment, Judgment, Slot
from annotation.question import ranking
from generation.models import LanguageModel
from tests.factory import Factory

Api = Callable[..., APIClient]


def claim(client: APIClient, campaign: Campaign) -> Any:
    return client.post(f"/api/v1/campaigns/{campaign.pk}/next-task").json()


def answer(client: APIClient, task: dict[str, Any], tiers: list[list[int]], **fields: Any) -> Any:
    body = {"token": task["token"], "answer": {"tiers": tiers}, "idempotency_key": str(uuid.uuid4()), **fields}
    return client.post(f"/api/v1/slots/{task['slot']}/judgment", body)


def test_bob_works_through_his_campaign(factory: Factory, api: Api) -> None:
    campaign, client = factory.campaign(num_comparisons=3), api(factory.bob())

    slots = []
    while (found := claim(client, campaign))["task"]:
        slots.append(found["task"]["slot"])
        assert answer(client, found["task"], [[0], [1]]).status_code == 201

    assert len(set(slots)) == 3
    assert found["reason"] == "You have judged everything that this campaign wants from you. Thank you."
    assert Judgment.objects.filter(comparison__campaign=campaign).count() == 3


def test_the_answer_is_stored_by_position_whatever_order_was_shown(factory: Factory, api: Api) -> None:
    campaign, client = factory.campaign(question=ranking(4), num_comparisons=5), api(factory.bob())

    while task := claim(client, campaign)["task"]:
        best = max(range(4), key=lambda place: int(task["replies"][place].split()[-1]))
        rest = [[place] for place in range(4) if place != best]
        receipt = answer(client, task, [[best], *rest]).json()

        judgment = Judgment.objects.get(pk=receipt["id"])
        # The factory numbers replies in the order of their positions, so that the last one is "the best".
        assert judgment.answer["tiers"][0] == [3]
        assert judgment.display_order[best] == 3


def test_claiming_again_renews_the_same_task_in_the_same_order(factory: Factory, api: Api) -> None:
    campaign, client = factory.campaign(num_comparisons=2), api(factory.bob())

    first, second = claim(client, campaign)["task"], claim(client, campaign)["task"]

    assert second | {"leased_until": None} == first | {"leased_until": None}
    assert second["leased_until"] >= first["leased_until"]


def test_looking_claims_nothing(factory: Factory, api: Api) -> None:
    campaign, client = factory.campaign(num_comparisons=1), api(factory.bob())
    address = f"/api/v1/campaigns/{campaign.pk}/next-task"

    assert client.get(address).json()["task"] is None
    assert not Slot.objects.exclude(annotator=None).exists()
    held = claim(client, campaign)
    assert client.get(address).json() == held


def test_two_labelers_never_hold_the_same_slot(factory: Factory, api: Api) -> None:
    eve = factory.user("eve", role="labeler")
    campaign = factory.campaign(num_comparisons=1, annotators=[factory.bob(), eve])

    held = claim(api(factory.bob()), campaign)["task"]
    other = claim(api(eve), campaign)

    assert held is not None
    assert other["task"] is None
    assert "with other annotators" in other["reason"]


def test_a_labeler_learns_nothing_about_models_votes_or_ids(factory: Factory, api: Api) -> None:
    """Everything that Bob can fetch, while others have judged the same comparison before him."""
    campaign = factory.campaign(overlap=2, num_comparisons=2)
    judge = factory.judge("secret judge")
    for slot in campaign.slots.filter(number=0):
        factory.judgment(slot, judge)
    LanguageModel.objects.update(location="/secret/location")
    client = api(factory.bob())

    task = claim(client, campaign)
    texts = [
        client.post(f"/api/v1/campaigns/{campaign.pk}/next-task").content.decode(),
        client.get("/api/v1/labeling/campaigns").content.decode(),
        answer(client, task["task"], [[0], [1]]).content.decode(),
    ]

    secrets = {"secret", *LanguageModel.objects.values_list("name", flat=True)}
    for text in texts:
        assert not [secret for secret in secrets if secret in text]
    assert task["task"].keys() == {
        "slot",
        "token",
        "leased_until",
        "campaign",
        "question",
        "guideline_version",
        "messages",
        "replies",
        "is_sensitive",
    }
    for address in ("", "/comparisons", "/judgments", "/annotators", "/agreement"):
        assert client.get(f"/api/v1/campaigns/{campaign.pk}{address}").status_code == 404


def test_sending_the_same_answer_twice_stores_it_once(factory: Factory, api: Api) -> None:
    campaign, client = factory.campaign(num_comparisons=1), api(factory.bob())
    task = claim(client, campaign)["task"]

    receipts = [answer(client, task, [[1], [0]], idempotency_key="k").json() for _ in range(2)]

    assert receipts[0] == receipts[1]
    assert Judgment.objects.count() == 1


def test_a_key_of_another_answer_is_refused_so_that_none_is_lost(factory: Factory, api: Api) -> None:
    campaign, client = factory.campaign(num_comparisons=2), api(factory.bob())
    answer(client, claim(client, campaign)["task"], [[0], [1]], idempotency_key="k")

    response = answer(client, claim(client, campaign)["task"], [[0], [1]], idempotency_key="k")

    assert response.status_code == 409
    assert response.json()["type"] == "urn:concord:key-reused"


def test_a_lost_lease_is_a_conflict(factory: Factory, api: Api) -> None:
    eve = factory.user("eve", role="labeler")
    campaign = factory.campaign(num_comparisons=1, annotators=[factory.bob(), eve])
    task = claim(api(factory.bob()), campaign)["task"]
    Slot.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    claim(api(eve), campaign)

    response = answer(api(factory.bob()), task, [[0], [1]])

    assert response.status_code == 409
    assert response.json()["type"] == "urn:concord:lease-lost"
    assert not Judgment.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"tiers": [[0]]}, 422),
        ({"tiers": [[0], [0]]}, 422),
        ({"tiers": [[0], [7]]}, 422),
        ({"tiers": "best"}, 422),
        ({}, 422),
        ({"tiers": [[0], [1]], "extra": 1}, 422),
        ({"tiers": [[0], [1]], "strength": 9}, 422),
        ([], 400),
        ("first", 400),
        (None, 400),
    ],
)
def test_an_answer_that_breaks_a_rule_is_refused(factory: Factory, api: Api, wrong: Any, status: int) -> None:
    campaign, client = factory.campaign(num_comparisons=1), api(factory.bob())
    task = claim(client, campaign)["task"]

    response = answer(client, task, [], answer=wrong)

    assert response.status_code == status
    assert response.json()["detail"]
    assert not Judgment.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("token", "x"), ("idempotency_key", ""), ("idempotency_key", "x" * 65), ("active_ms", -1), ("total_ms", 2**31)],
)
def test_a_malformed_field_is_named(factory: Factory, api: Api, field: str, value: Any) -> None:
    campaign, client = factory.campaign(num_comparisons=1), api(factory.bob())

    response = answer(client, claim(client, campaign)["task"], [[0], [1]], **{field: value})

    assert response.status_code == 400
    assert response.json()["errors"].keys() == {field}


def test_a_released_task_is_free_for_others(factory: Factory, api: Api) -> None:
    eve = factory.user("eve", role="labeler")
    campaign = factory.campaign(num_comparisons=1, annotators=[factory.bob(), eve])
    bob = api(factory.bob())
    task = claim(bob, campaign)["task"]
    address = f"/api/v1/slots/{task['slot']}/release"

    first, second = (bob.post(address, {"token": task["token"]}).json() for _ in range(2))

    assert (first, second) == ({"is_released": True}, {"is_released": False})
    assert claim(api(eve), campaign)["task"]["slot"] == task["slot"]


def test_a_paused_labeler_is_told_why(factory: Factory, api: Api) -> None:
    campaign = factory.campaign(num_comparisons=1)
    Enrolment.objects.filter(campaign=campaign).update(is_active=False, pause_reason="please read the guidelines")

    found = claim(api(factory.bob()), campaign)

    assert found == {"task": None, "reason": "Your work here is paused: please read the guidelines."}


def test_nothing_is_served_before_the_campaign_opens(factory: Factory, api: Api) -> None:
    campaign = factory.campaign(num_comparisons=1, status="draft")

    assert "is draft" in claim(api(factory.bob()), campaign)["reason"]


def test_a_manager_who_is_not_enrolled_is_told_so(factory: Factory, api: Api) -> None:
    campaign = factory.campaign(num_comparisons=1)

    response = api(factory.alice()).post(f"/api/v1/campaigns/{campaign.pk}/next-task")

    assert response.status_code == 403
    assert response.json()["type"] == "urn:concord:not-enrolled"
    assert not Annotator.objects.filter(user=factory.alice()).exists()


def test_a_labeler_who_left_the_workspace_is_a_stranger(factory: Factory, api: Api) -> None:
    slot = factory.leased_slot()
    bob = factory.bob()
    bob.memberships.all().delete()
    body = {"token": str(slot.token), "answer": {"tiers": [[0], [1]]}, "idempotency_key": "k"}

    assert api(bob).post(f"/api/v1/campaigns/{slot.campaign_id}/next-task").status_code == 404
    assert api(bob).post(f"/api/v1/slots/{slot_numbers.shown(slot.pk)}/judgment", body).status_code == 404
    assert api(bob).get("/api/v1/labeling/campaigns").json()["count"] == 0


def test_a_labeler_lists_their_campaigns(factory: Factory, api: Api) -> None:
    campaign = factory.campaign("Mine", guidelines="Be kind.")
    factory.campaign("Not mine", annotators=[])

    (row,) = api(factory.bob()).get("/api/v1/labeling/campaigns").json()["results"]

    assert (row["id"], row["name"], row["guidelines"]) == (campaign.pk, "Mine", "Be kind.")
