"""Taking answers back: before they are sent, and after."""

import pytest
from playwright.sync_api import expect

from annotation.models import Judgment
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser


def choose_one_press(factory: Factory) -> None:
    annotator = factory.person()
    annotator.preferences = {"one_press": True}
    annotator.save()


def test_undo_brings_the_last_answer_back_and_a_resubmit_revises_it(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=3)
    page = desk.page
    desk.label(factory.bob(), campaign)
    first = desk.slot()
    desk.press("1", "Enter")
    expect(page.locator("#saved")).to_have_text("Saved ✓")
    present = desk.slot()

    desk.press("z")
    assert desk.slot() == first
    expect(page.locator("#revising")).to_be_visible()
    expect(page.locator(".is-chosen")).to_contain_text("A is better")
    desk.press("2", "Enter")

    expect(page.locator("#revising")).to_be_hidden()
    assert desk.slot() == present
    desk.wait_until(lambda: Judgment.objects.count() == 2)
    current = Judgment.objects.current().get()
    assert current.slot_id == first
    assert current.revises is not None
    assert current.answer["tiers"][0] == [current.display_order[1]]
    expect(page.locator("#day strong")).to_have_text("1")


def test_undo_goes_back_step_by_step_and_escape_returns_to_the_present(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=4)
    desk.label(factory.bob(), campaign)
    slots = []
    for key in ("1", "2", "t"):
        desk.wait_for_next()
        slots.append(desk.slot())
        desk.press(key, "Enter")
    present = desk.slot()

    for slot in reversed(slots):
        desk.press("z")
        assert desk.slot() == slot
    desk.press("z")
    expect(desk.page.locator("#notice")).to_contain_text("Only the last ten answers can be taken back.")
    desk.press("Escape")

    assert desk.slot() == present
    assert Judgment.objects.filter(revises__isnull=False).count() == 0


def test_undo_works_after_a_reload(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=3)
    desk.label(factory.bob(), campaign)
    first = desk.slot()
    desk.press("2", "Enter")
    expect(desk.page.locator("#saved")).to_have_text("Saved ✓")
    desk.page.reload()
    desk.wait_for_next()

    desk.press("u")

    expect(desk.page.locator("#revising")).to_be_visible()
    assert desk.slot() == first
    expect(desk.page.locator(".is-chosen")).to_contain_text("B is better")


def test_an_answer_that_is_not_sent_yet_can_be_taken_back(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=3)
    page = desk.page
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    first = desk.slot()
    page.context.set_offline(True)
    desk.press("1", "Enter")
    desk.press("z")
    desk.press("2", "Enter")
    expect(page.locator("#saved")).to_contain_text("2 unsaved")

    page.context.set_offline(False)

    expect(page.locator("#saved")).to_have_text("Saved ✓")
    current = Judgment.objects.current().get(slot=first)
    assert current.answer["tiers"][0] == [current.display_order[1]]


def test_the_history_offers_an_answer_to_be_changed(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=4)
    page = desk.page
    desk.label(factory.bob(), campaign)
    slots = []
    for key in ("1", "2"):
        desk.wait_for_next()
        slots.append(desk.slot())
        desk.press(key, "Enter")
        expect(page.locator("#saved")).to_have_text("Saved ✓")

    desk.press("h")
    expect(page.locator("#history li")).to_have_count(2)
    page.locator("#history [data-revise]").last.click()

    expect(page.locator("#revising")).to_be_visible()
    assert desk.slot() == slots[0]


def test_one_press_answers_after_a_moment_of_grace(factory: Factory, desk: Desk) -> None:
    choose_one_press(factory)
    campaign = factory.campaign(num_comparisons=2)
    page = desk.page
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()

    desk.press("1")
    expect(page.locator(".choice.is-counting")).to_contain_text("A is better")
    assert not Judgment.objects.exists()
    page.keyboard.press("2")  # another key changes it
    expect(page.locator(".choice.is-counting")).to_contain_text("B is better")

    expect(page.locator("#saved")).to_have_text("Saved ✓")
    judgment = Judgment.objects.get()
    assert judgment.answer["tiers"][0] == [judgment.display_order[1]]


def test_undo_within_the_grace_takes_the_choice_back(factory: Factory, desk: Desk) -> None:
    choose_one_press(factory)
    campaign = factory.campaign(num_comparisons=2)
    page = desk.page
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    first = desk.slot()

    desk.press("1", "z")

    expect(page.locator(".is-counting, .is-chosen")).to_have_count(0)
    page.wait_for_timeout(1600)  # longer than the grace
    assert desk.slot() == first
    assert not Judgment.objects.exists()


def test_enter_does_not_wait_for_the_grace(factory: Factory, desk: Desk) -> None:
    choose_one_press(factory)
    campaign = factory.campaign(num_comparisons=3)
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()

    desk.press("1", "Enter")
    expect(desk.page.locator("#saved")).to_have_text("Saved ✓")
    desk.page.wait_for_timeout(1600)  # the clock of the answered task has stopped

    assert Judgment.objects.count() == 1
