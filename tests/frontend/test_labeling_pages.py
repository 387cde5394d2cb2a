"""Own answers, settings, opt-outs and disputes of a labeler."""

import re

import pytest
from django.utils import timezone

from annotation.models import Alert, Annotator, Campaign, Comparison, Enrolment
from frontend.keymap import ACTIONS
from tests.factory import Factory
from tests.frontend.conftest import Browse, Statuses
from tests.frontend.test_labeling import SCRIPT, answer_first

DEFAULTS = {f"keys-{action.name}": " ".join(action.defaults) for action in ACTIONS}


@pytest.fixture
def campaign(factory: Factory) -> Campaign:
    return factory.campaign("Round two", num_comparisons=12)


@pytest.mark.parametrize("name", ["history", "settings"])
def test_only_the_enrolled_have_these_pages(campaign: Campaign, statuses: Statuses, name: str) -> None:
    expected = {"alice": 404, "dana": 404, "bob": 200, "charlie": 404, "nobody": 302}

    assert statuses(f"/label/{campaign.pk}/{name}/") == expected


def test_the_history_lists_own_answers_newest_first_ten_of_them_to_be_changed(
    factory: Factory, campaign: Campaign, browse: Browse
) -> None:
    client = browse(factory.bob())
    for number in range(12):
        answer_first(client, campaign, key=f"key {number}", answer='{"tiers": [[1], [0]]}', active_ms="3000")

    page = client.get(f"/label/{campaign.pk}/history/").content.decode()

    ids = [int(number) for number in re.findall(r'data-revise="(\d+)"', page)]
    assert len(ids) == 10
    assert ids == sorted(ids, reverse=True)
    assert page.count("B is better") == 12
    assert "3.0 s" in page


def test_the_drawer_gets_the_list_alone(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    reply = browse(factory.bob()).get(f"/label/{campaign.pk}/history/", headers={"X-Fragment": "1"})

    assert "You have not answered anything here yet" in reply.content.decode()
    assert "<html" not in reply.content.decode()


def test_keys_are_stored_and_shown(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    client = browse(factory.bob())
    data = {**DEFAULTS, "keys-skip": "k", "one_press": "on"}

    stored = client.post(f"/label/{campaign.pk}/settings/store/", data, headers=SCRIPT).json()

    assert stored["keys"]["skip"] == ["k"]
    assert stored["one_press"] is True
    assert factory.person().preferences == {"keys": {"skip": ["k"]}, "one_press": True}
    page = client.get(f"/label/{campaign.pk}/").content.decode()
    assert '<td data-action-keys="skip"><kbd>K</kbd> </td>' in page


def test_keys_that_clash_are_refused_in_words(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    client = browse(factory.bob())

    reply = client.post(f"/label/{campaign.pk}/settings/store/", {**DEFAULTS, "keys-skip": "z"}, headers=SCRIPT)

    assert reply.status_code == 422
    assert reply.json()["detail"].startswith("Z is used for “back to the last answer” and for “skip, with a reason”")
    assert factory.person().preferences == {}


def test_settings_work_without_a_script(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    client = browse(factory.bob())

    reply = client.post(f"/label/{campaign.pk}/settings/store/", DEFAULTS, follow=True)

    assert "Your settings are stored." in reply.content.decode()


def test_a_labeler_opts_out_of_categories(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    Comparison.objects.update(categories=["violence", "sensitive"])
    client = browse(factory.bob())
    page = client.get(f"/label/{campaign.pk}/settings/").content.decode()
    assert re.findall(r'name="category" value="([^"]+)"', page) == ["sensitive", "violence"]

    client.post(f"/label/{campaign.pk}/opt-out/", {"category": ["violence"]})

    assert Annotator.objects.get(user=factory.bob()).opt_outs == ["violence"]
    assert "of categories that you opted out of" in client.get(f"/label/{campaign.pk}/next/").content.decode()


def test_a_pause_is_shown_with_its_reason_and_can_be_disputed(
    factory: Factory, campaign: Campaign, browse: Browse
) -> None:
    reason = "4 of 10 known answers were right, 7 are wanted"
    Enrolment.objects.update(is_active=False, pause_reason=reason, paused_at=timezone.now())
    client = browse(factory.bob())
    assert reason in client.get(f"/label/{campaign.pk}/").content.decode()

    page = client.post(f"/label/{campaign.pk}/dispute/", {"text": "The known answers are wrong."}, follow=True)

    assert "The managers of this campaign have been told." in page.content.decode()
    assert "Dispute the pause" not in page.content.decode()
    assert Enrolment.objects.get().dispute == "The known answers are wrong."
    assert Alert.objects.get().kind == "dispute"


def test_an_empty_dispute_is_refused(factory: Factory, campaign: Campaign, browse: Browse) -> None:
    Enrolment.objects.update(is_active=False, paused_at=timezone.now())

    reply = browse(factory.bob()).post(f"/label/{campaign.pk}/dispute/", {"text": " "})

    assert reply.status_code == 409
    assert "Say in a sentence or two" in reply.content.decode()
