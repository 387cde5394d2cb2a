"""What a labeler's page says about the tasks that it holds."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from annotation import slot_numbers
from annotation.models import Campaign, Enrolment, Skip, Slot
from tests.factory import Factory
from tests.frontend.conftest import Browse
from tests.frontend.test_labeling import SCRIPT, fields

WRITES = ("submit", "revise", "draft", "renew", "skip", "take-over", "release", "acknowledge", "opt-out", "dispute")


@pytest.fixture
def campaign(factory: Factory) -> Campaign:
    return factory.campaign("Round two", num_comparisons=3)


def lease_of(slot: Slot) -> dict[str, Any]:
    return {"slot": slot_numbers.shown(slot.pk), "token": str(slot.token)}


def held(*slots: Slot) -> str:
    rows = [
        (slot_numbers.shown(slot.pk), slot.token, (slot.leased_until or timezone.now()).isoformat()) for slot in slots
    ]
    return json.dumps([[str(value) for value in row] for row in rows])


@pytest.mark.parametrize("name", WRITES)
def test_writes_need_a_post_and_a_token(factory: Factory, campaign: Campaign, browse: Browse, name: str) -> None:
    url = f"/label/{campaign.pk}/{name}/"
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(factory.bob())

    assert browse(factory.bob()).get(url).status_code == 405
    assert strict.post(url).status_code == 403


@pytest.mark.parametrize("name", WRITES)
def test_strangers_write_nothing(factory: Factory, campaign: Campaign, browse: Browse, name: str) -> None:
    url = f"/label/{campaign.pk}/{name}/"

    assert {browse(user).post(url).status_code for user in (factory.alice(), factory.charlie())} == {404}


def test_the_session_says_who_is_signed_in(factory: Factory, browse: Browse) -> None:
    assert browse(factory.bob()).get("/label/session/").json()["user"] == factory.bob().pk
    assert browse().get("/label/session/").status_code == 302


def test_a_draft_is_kept_with_the_slot(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot()
    data = {**lease_of(slot), "draft": '{"answer": {"rationale": "so"}}'}

    assert browse(factory.bob()).post(f"/label/{slot.campaign_id}/draft/", data, headers=SCRIPT).status_code == 204

    slot.refresh_from_db()
    assert slot.draft == {"answer": {"rationale": "so"}}


def test_a_draft_of_a_book_is_refused(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot()
    data = {**lease_of(slot), "draft": json.dumps({"answer": {"demonstration": "x" * 200_000}})}

    assert browse(factory.bob()).post(f"/label/{slot.campaign_id}/draft/", data).status_code == 413


def test_a_renewal_tells_how_long_the_task_is_held(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot()
    Slot.objects.filter(pk=slot.pk).update(leased_until=timezone.now() + timedelta(seconds=5))

    reply = browse(factory.bob()).post(f"/label/{slot.campaign_id}/renew/", lease_of(slot), headers=SCRIPT)

    slot.refresh_from_db()
    assert slot.leased_until is not None
    assert reply.json() == {"seconds_left": 600, "leased_until": slot.leased_until.isoformat()}


def test_a_lost_lease_is_not_renewed(factory: Factory, browse: Browse) -> None:
    slot = factory.leased_slot()
    Slot.objects.filter(pk=slot.pk).update(annotator=factory.judge())

    reply = browse(factory.bob()).post(f"/label/{slot.campaign_id}/renew/", lease_of(slot), headers=SCRIPT)

    assert reply.status_code == 409
    assert reply.json()["kind"] == "lease-lost"


def test_a_skipped_task_does_not_come_back(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(num_comparisons=2)
    client = browse(factory.bob())
    first = fields(client.get(f"/label/{campaign.pk}/").content.decode())

    for _ in range(2):  # said twice, because the first reply was lost
        reply = client.post(f"/label/{campaign.pk}/skip/", {**first, "reason": "It is too long"}, headers=SCRIPT)
        assert reply.status_code == 204

    assert Skip.objects.get().reason == "It is too long"
    assert fields(client.get(f"/label/{campaign.pk}/").content.decode())["slot"] != first["slot"]


def test_a_second_tab_is_told_and_can_take_over(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    client = browse(factory.bob())
    first = fields(client.get(f"/label/{campaign.pk}/next/?tab=one").content.decode())

    assert 'data-state="elsewhere"' in client.get(f"/label/{campaign.pk}/next/?tab=two").content.decode()
    assert client.post(f"/label/{campaign.pk}/take-over/", {"tab": "two"}, headers=SCRIPT).status_code == 204

    assert fields(client.get(f"/label/{campaign.pk}/next/?tab=two").content.decode())["slot"] == first["slot"]
    assert 'data-state="elsewhere"' in client.get(f"/label/{campaign.pk}/next/?tab=one").content.decode()


def test_a_tab_whose_lease_has_run_out_is_in_nobodys_way(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    client = browse(factory.bob())
    client.get(f"/label/{campaign.pk}/next/?tab=one")
    Slot.objects.filter(tab="one").update(leased_until=timezone.now() - timedelta(seconds=1))

    assert "elsewhere" not in client.get(f"/label/{campaign.pk}/next/?tab=two").content.decode()


def test_the_page_of_a_second_tab_waits_for_its_script(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    client = browse(factory.bob())
    client.get(f"/label/{campaign.pk}/next/?tab=one")

    page = client.get(f"/label/{campaign.pk}/").content.decode()

    assert 'data-state="fetching"' in page[: page.index("<template")]
    assert client.post(f"/label/{campaign.pk}/take-over/").status_code == 302  # without a script
    assert fields(client.get(f"/label/{campaign.pk}/").content.decode())["slot"]


def test_leaving_gives_all_tasks_back(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    slots = [factory.leased_slot(campaign), factory.leased_slot(campaign)]

    browse(factory.bob()).post(f"/label/{campaign.pk}/release/", {"held": held(*slots)})

    assert not Slot.objects.filter(annotator__user=factory.bob()).exists()


def test_a_page_that_was_loaded_again_keeps_its_task(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    """A reload renews the lease before the old page says good-bye."""
    slot = factory.leased_slot(campaign)
    client = browse(factory.bob())
    client.get(f"/label/{campaign.pk}/")

    client.post(f"/label/{campaign.pk}/release/", {"held": held(slot)})

    assert Slot.objects.filter(annotator__user=factory.bob(), pk=slot.pk).exists()


@pytest.mark.parametrize(
    "text", ["", "{", "7", '[["1"]]', '[[1, "a", "b"]]', '[["x", "a", "b"]]', '[["9999999999", "", ""]]']
)
def test_a_good_bye_may_be_nonsense(factory: Factory, campaign: Campaign, browse: Browse, text: str) -> None:
    assert browse(factory.bob()).post(f"/label/{campaign.pk}/release/", {"held": text}).status_code == 204


def test_others_tasks_cannot_be_given_back(factory: Factory, browse: Browse) -> None:
    judge = factory.judge()
    slot = factory.leased_slot(annotator=judge)
    factory.enrolment(slot.campaign, factory.bob())

    browse(factory.bob()).post(f"/label/{slot.campaign_id}/release/", {"held": held(slot)})

    slot.refresh_from_db()
    assert slot.annotator == judge


def test_changed_guidelines_are_read_before_the_next_task(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(num_comparisons=1, guidelines="Be **fair**.", guideline_version=3)
    Enrolment.objects.update(acknowledged_version=2)
    client = browse(factory.bob())

    page = client.get(f"/label/{campaign.pk}/").content.decode()
    assert 'data-state="guidelines" data-version="3"' in page
    assert "you read version 2" in page
    assert not Slot.objects.filter(annotator__isnull=False).exists()

    assert client.post(f"/label/{campaign.pk}/acknowledge/", {"version": "3"}).status_code == 302
    assert fields(client.get(f"/label/{campaign.pk}/").content.decode())["slot"]


def test_an_older_version_acknowledged_is_not_the_present_one(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(num_comparisons=1, guidelines="Be fair.", guideline_version=3)
    Enrolment.objects.update(acknowledged_version=1)
    client = browse(factory.bob())

    client.post(f"/label/{campaign.pk}/acknowledge/", {"version": "2"}, headers=SCRIPT)

    assert 'data-state="guidelines"' in client.get(f"/label/{campaign.pk}/next/").content.decode()
