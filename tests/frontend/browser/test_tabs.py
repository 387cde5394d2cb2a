"""Drafts, leases, guidelines and second tabs of a labeler's page."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from annotation import question as questions
from annotation.models import Campaign, Enrolment, Judgment, Slot
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser


def second_tab(desk: Desk, campaign: Campaign) -> Desk:
    other = Desk(desk.page.context.new_page(), desk.address, desk.complaints)
    other.page.set_default_timeout(15_000)
    other.open(f"/label/{campaign.pk}/")
    return other


def test_a_second_tab_is_told_takes_over_with_the_draft_and_the_first_one_knows(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=3)
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    task = desk.slot()
    desk.press("2")
    other = second_tab(desk, campaign)
    expect(other.page.locator("#task")).to_contain_text("Open in another tab")

    other.page.keyboard.press("Enter")

    expect(other.page.locator("#labeling")).to_have_attribute("data-state", "task")
    assert other.slot() == task
    expect(other.page.locator(".is-chosen")).to_contain_text("B is better")
    expect(desk.page.locator("#task")).to_contain_text("Open in another tab")
    other.press("Enter")
    expect(other.page.locator("#saved")).to_have_text("Saved ✓")
    assert Judgment.objects.get().slot_id == task
    assert desk.complaints == []


def test_a_tab_that_was_duplicated_gets_a_name_of_its_own(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=3)
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    name = desk.page.evaluate("sessionStorage.getItem('concord-tab')")
    other = Desk(desk.page.context.new_page(), desk.address, desk.complaints)
    other.page.add_init_script(f"sessionStorage.getItem('x') ?? sessionStorage.setItem('concord-tab', '{name}')")

    other.open(f"/label/{campaign.pk}/")

    expect(other.page.locator("#task")).to_contain_text("Open in another tab")
    assert other.page.evaluate("sessionStorage.getItem('concord-tab')") != name


def test_another_campaign_in_another_tab_is_no_second_tab(factory: Factory, desk: Desk) -> None:
    desk.label(factory.bob(), factory.campaign("one", num_comparisons=2))

    other = second_tab(desk, factory.campaign("two", num_comparisons=2))

    expect(other.page.locator("#labeling")).to_have_attribute("data-state", "task")


def test_a_draft_comes_back_after_the_page_was_left(factory: Factory, desk: Desk) -> None:
    question = questions.pairwise(rationale="required", reasons=("clearer", "kinder"))
    campaign = factory.campaign(question=question, num_comparisons=2)
    page = desk.page
    desk.label(factory.bob(), campaign)
    task = desk.slot()
    desk.press("2")
    page.get_by_label("kinder").check()
    page.locator("#rationale").fill("It answers what was asked")

    desk.open("/")  # at once: the draft travels beside the new page
    desk.wait_until(lambda: Slot.objects.filter(pk=task, draft__answer__rationale="It answers what was asked").exists())
    desk.open(f"/label/{campaign.pk}/")

    expect(page.locator("#labeling")).to_have_attribute("data-state", "task")
    assert desk.slot() == task
    expect(page.locator(".is-chosen")).to_contain_text("B is better")
    expect(page.locator("#rationale")).to_have_value("It answers what was asked")
    expect(page.get_by_label("kinder")).to_be_checked()
    desk.press("Enter")
    expect(page.locator("#saved")).to_have_text("Saved ✓")


def test_a_lease_is_renewed_silently_while_the_labeler_is_active(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=1, lease_seconds=8)
    desk.label(factory.bob(), campaign)
    before = Slot.objects.get(annotator__user=factory.bob()).leased_until
    assert before is not None

    def has_been_renewed() -> bool:
        desk.page.mouse.move(300, 300)
        desk.page.mouse.move(320, 300)
        return Slot.objects.filter(annotator__user=factory.bob(), leased_until__gt=before).exists()

    desk.wait_until(has_been_renewed)


def test_the_clock_shows_in_the_last_two_minutes_and_one_key_winds_it(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=1, lease_seconds=600)
    page = desk.page
    page.clock.install()
    desk.label(factory.bob(), campaign)
    expect(page.locator("#lease")).to_be_hidden()

    page.clock.fast_forward("08:30")  # nobody moves

    expect(page.locator("#lease")).to_contain_text("held for you 1:")
    Slot.objects.update(leased_until=timezone.now() + timedelta(seconds=85))
    page.keyboard.press("l")
    expect(page.locator("#lease")).to_be_hidden()
    slot = Slot.objects.get(annotator__user=factory.bob())
    assert slot.leased_until is not None
    assert slot.leased_until > timezone.now() + timedelta(seconds=500)


def test_a_lease_that_somebody_else_got_is_told_with_the_answer_in_view(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=2)
    page = desk.page
    page.clock.install()
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    lost = desk.slot()
    page.keyboard.press("2")
    Slot.objects.filter(pk=lost).update(annotator=factory.judge())

    page.clock.fast_forward("09:00")
    page.keyboard.press("l")

    expect(page.locator("#notice")).to_contain_text("somebody else has taken it")
    expect(page.locator("#notice").get_by_role("button", name="Take the next task")).to_be_visible()


def test_guidelines_are_read_to_their_end_before_the_first_task(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=1, guidelines="A rule to read.\n\n" * 80)
    Enrolment.objects.update(acknowledged_version=0)
    page = desk.page
    desk.label(factory.bob(), campaign)
    button = page.get_by_role("button", name="I have read them")
    expect(button).to_be_disabled()

    page.keyboard.press("Enter")
    expect(page.locator("#labeling")).to_have_attribute("data-state", "guidelines")
    page.keyboard.press("End")
    expect(button).to_be_enabled()
    page.keyboard.press("Enter")

    expect(page.locator("#labeling")).to_have_attribute("data-state", "task")
    assert Enrolment.objects.get().acknowledged_version == 1


def test_guidelines_that_change_during_the_work_come_before_the_next_task(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=5, guidelines="Old.")
    page = desk.page
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    Campaign.objects.update(guidelines="New: be **kind**.", guideline_version=2)

    desk.press("1", "Enter")  # its receipt tells of the new version
    expect(page.locator("#saved")).to_have_text("Saved ✓")
    page.wait_for_timeout(500)
    desk.press("1", "Enter")

    expect(page.locator("#task")).to_contain_text("The guidelines have changed")
    page.keyboard.press("Enter")
    expect(page.locator("#labeling")).to_have_attribute("data-state", "task")
    desk.press("g")
    expect(page.locator("#guidelines")).to_contain_text("version 2")
    expect(page.locator("#guidelines strong")).to_have_text("kind")


def test_a_pause_for_quality_is_explained_and_can_be_disputed(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=1)
    Enrolment.objects.update(is_active=False, pause_reason="4 of 10 known answers were right", paused_at=timezone.now())
    page = desk.page
    desk.label(factory.bob(), campaign)
    expect(page.locator("#task")).to_contain_text("4 of 10 known answers were right")

    page.get_by_label("Do you think").fill("Two of them are wrong.")
    page.get_by_role("button", name="Look now").click()  # the same reason again leaves the text alone
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Dispute the pause").click()

    expect(page.locator("#task")).to_contain_text("You disputed this")
    assert desk.complaints == []
