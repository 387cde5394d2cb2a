"""What surrounds the task under axe-core: dialogs, notices and empty states, light and dark."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from annotation.models import Campaign, Comparison, Enrolment
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk
from tests.frontend.browser.test_accessibility import violations

pytestmark = [pytest.mark.browser, pytest.mark.parametrize("scheme", ["light", "dark"])]


@pytest.fixture
def campaign(factory: Factory, desk: Desk, scheme: str) -> Campaign:
    desk.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    return factory.campaign(num_comparisons=4, guidelines="# Rules\n\nBe **fair**.")


def test_dialogs_and_drawers(factory: Factory, desk: Desk, campaign: Campaign) -> None:
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    desk.press("1", "Enter")
    expect(desk.page.locator("#saved")).to_have_text("Saved ✓")

    for key in ("?", "s", "g", "h", ","):
        desk.press(key)
        expect(desk.page.locator("dialog[open]")).to_have_count(1)
        assert violations(desk.page) == [], key
        desk.press("Escape")


def test_a_revision_and_a_notice(factory: Factory, desk: Desk, campaign: Campaign) -> None:
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    desk.press("Enter")
    assert violations(desk.page) == []
    desk.press("1", "Enter")
    expect(desk.page.locator("#saved")).to_have_text("Saved ✓")

    desk.press("z")

    expect(desk.page.locator("#revising")).to_be_visible()
    assert violations(desk.page) == []


def test_unsaved_answers(factory: Factory, desk: Desk, campaign: Campaign) -> None:
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    desk.page.context.set_offline(True)

    desk.press("1", "Enter")

    expect(desk.page.locator("#saved")).to_contain_text("1 unsaved")
    assert violations(desk.page) == []


def test_guidelines_before_the_first_task(factory: Factory, desk: Desk, campaign: Campaign) -> None:
    Campaign.objects.update(guidelines="# Rules\n\n" + "Be fair.\n\n" * 60)
    Enrolment.objects.update(acknowledged_version=0)

    desk.label(factory.bob(), campaign)

    expect(desk.page.locator("#labeling")).to_have_attribute("data-state", "guidelines")
    assert violations(desk.page) == []


def test_a_second_tab(factory: Factory, desk: Desk, campaign: Campaign) -> None:
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    other = Desk(desk.page.context.new_page(), desk.address, desk.complaints)
    other.open(f"/label/{campaign.pk}/")
    expect(other.page.locator("#task")).to_contain_text("Open in another tab")

    assert violations(other.page) == []


def test_empty_states(factory: Factory, desk: Desk, campaign: Campaign) -> None:
    Campaign.objects.update(status="paused")
    desk.label(factory.bob(), campaign)
    assert violations(desk.page) == []
    Enrolment.objects.update(is_active=False, pause_reason="4 of 10 were right", paused_at=timezone.now())
    desk.open(f"/label/{campaign.pk}/")

    expect(desk.page.locator("#task")).to_contain_text("4 of 10 were right")
    assert violations(desk.page) == []


def test_pages_beside_the_task(factory: Factory, desk: Desk, campaign: Campaign) -> None:
    Comparison.objects.update(categories=["violence"])
    factory.judgment(campaign.slots.first())
    desk.sign_in(factory.bob())

    for path in (f"/label/{campaign.pk}/settings/", f"/label/{campaign.pk}/history/", "/"):
        desk.open(path)
        assert violations(desk.page) == [], path
