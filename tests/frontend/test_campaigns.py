"""Campaign pages."""

import re

import pytest

from annotation.models import Campaign
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses


@pytest.mark.parametrize("ending", ["", "progress/"])
def test_readers_alone_see_a_campaign(factory: Factory, statuses: Statuses, ending: str) -> None:
    campaign = factory.judged_campaign()

    assert statuses(f"/campaigns/{campaign.pk}/{ending}") == READERS_ONLY


def test_the_list_holds_what_one_may_read(factory: Factory, browse: Browse) -> None:
    factory.campaign("Round two")

    assert "Round two" in browse(factory.alice()).get("/campaigns/").content.decode()
    assert "Round two" not in browse(factory.charlie()).get("/campaigns/").content.decode()


def test_progress_annotators_and_agreement_are_shown(factory: Factory, browse: Browse) -> None:
    campaign = factory.judged_campaign(num_comparisons=4, judges=2)
    judge = campaign.enrolments.earliest("pk").annotator

    page = browse(factory.alice()).get(f"/campaigns/{campaign.pk}/").content.decode()

    assert '<span class="figure">8</span><span class="muted"> of 8 judgments' in page
    assert judge.name in page
    assert "0.75</span>" in page  # raw agreement: three comparisons of four
    assert "alpha" in page


def test_agreement_that_is_undefined_is_explained(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(num_comparisons=1)

    page = browse(factory.alice()).get(f"/campaigns/{campaign.pk}/").content.decode()

    assert "figure undefined" in page
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)


def test_an_open_campaign_refreshes_itself_and_a_closed_one_rests(factory: Factory, browse: Browse) -> None:
    client = browse(factory.alice(), htmx=True)
    open_one, closed = factory.campaign(), factory.campaign(status="closed")

    assert "hx-trigger" in client.get(f"/campaigns/{open_one.pk}/progress/").content.decode()
    assert "hx-trigger" not in client.get(f"/campaigns/{closed.pk}/progress/").content.decode()


def test_a_manager_opens_pauses_and_closes(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(status="draft", num_comparisons=1)
    client = browse(factory.alice())

    for status in ("open", "paused", "open", "closed"):
        reply = client.post(f"/campaigns/{campaign.pk}/status/", {"status": status})
        campaign.refresh_from_db()
        assert reply["Location"] == f"/campaigns/{campaign.pk}/"
        assert campaign.status == status


def test_an_impossible_status_is_a_page_that_says_so(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign(status="closed")

    reply = browse(factory.alice()).post(f"/campaigns/{campaign.pk}/status/", {"status": "open"})

    assert reply.status_code == 409
    assert "cannot become open" in reply.content.decode()


def test_an_engineer_sees_no_buttons_and_may_not_use_them(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign()
    client = browse(factory.dana())

    assert "/status/" not in client.get(f"/campaigns/{campaign.pk}/").content.decode()
    assert client.post(f"/campaigns/{campaign.pk}/status/", {"status": "paused"}).status_code == 403
    assert Campaign.objects.get(pk=campaign.pk).status == "open"


def test_a_strangers_post_finds_nothing(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign()

    assert browse(factory.charlie()).post(f"/campaigns/{campaign.pk}/status/").status_code == 404


def test_a_judging_run_has_a_page(factory: Factory, statuses: Statuses, browse: Browse) -> None:
    run = factory.judging_run(status="running")

    assert statuses(f"/judging-runs/{run.pk}/") == READERS_ONLY
    fragment = browse(factory.alice(), htmx=True).get(f"/judging-runs/{run.pk}/").content.decode()
    assert "5 of 10" in fragment
    assert "<html" not in fragment
