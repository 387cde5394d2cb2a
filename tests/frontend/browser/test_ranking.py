"""Ranking in a real browser."""

import pytest
from playwright.sync_api import expect

from annotation import question as questions
from annotation.models import Judgment, Slot
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser


def draft(desk: Desk) -> list[list[int]]:
    """The tiers under construction, in displayed places."""
    tiers: list[list[int]] = desk.page.evaluate(
        "[...document.querySelectorAll('.tier')].map(t => [...t.querySelectorAll('.chip')].map(c => +c.dataset.item))"
    )
    return tiers


def held_slot(factory: Factory, *, allows_ties: bool = True) -> Slot:
    """Four replies that Bob holds, shown as 3, 2, 1, 0."""
    return factory.leased_slot(factory.campaign(question=questions.ranking(4, allows_ties=allows_ties)))


def test_number_keys_place_ties_join_and_enter_submits(factory: Factory, desk: Desk) -> None:
    slot = held_slot(factory)
    desk.sign_in(factory.bob())
    desk.open(f"/label/{slot.campaign_id}/")

    desk.press("3", "1", "=", "4", "Enter")
    assert not Judgment.objects.exists()  # reply 2 has no place yet
    desk.press("2", "Enter")

    expect(desk.page.locator("#saved")).to_have_text("Saved ✓")
    judgment = Judgment.objects.get()
    assert judgment.display_order == [3, 2, 1, 0]
    assert judgment.answer == {"tiers": [[1], [0, 3], [2]]}
    assert desk.complaints == []


def test_alt_arrows_move_the_selected_reply_through_ties(factory: Factory, desk: Desk) -> None:
    slot = held_slot(factory)
    desk.sign_in(factory.bob())
    desk.open(f"/label/{slot.campaign_id}/")

    desk.press("1", "2", "3", "4")
    assert draft(desk) == [[0], [1], [2], [3]]
    desk.press("Alt+ArrowLeft")
    assert draft(desk) == [[0], [1], [2, 3]]
    desk.press("Alt+ArrowLeft")
    assert draft(desk) == [[0], [1], [3], [2]]
    desk.press("1", "Alt+ArrowRight")
    assert draft(desk) == [[0, 1], [3], [2]]
    desk.press("Backspace")
    assert draft(desk) == [[1], [3], [2]]


def test_without_ties_alt_arrows_swap_and_equals_means_nothing(factory: Factory, desk: Desk) -> None:
    slot = held_slot(factory, allows_ties=False)
    desk.sign_in(factory.bob())
    desk.open(f"/label/{slot.campaign_id}/")

    desk.press("1", "=", "2", "3", "4", "Alt+ArrowLeft")
    assert draft(desk) == [[0], [1], [3], [2]]
    desk.press("Alt+ArrowRight")
    assert draft(desk) == [[0], [1], [2], [3]]


def test_chips_can_be_dragged_between_and_onto_each_other(factory: Factory, desk: Desk) -> None:
    slot = held_slot(factory)
    page = desk.page
    desk.sign_in(factory.bob())
    desk.open(f"/label/{slot.campaign_id}/")
    desk.press("1", "2", "3")

    page.locator('.chip[data-item="3"]').drag_to(page.locator('[data-gap="0"]'))
    assert draft(desk) == [[3], [0], [1], [2]]
    page.locator('.chip[data-item="2"]').drag_to(page.locator('.chip[data-item="0"]'))
    assert draft(desk) == [[3], [0, 2], [1]]
    page.locator('.chip[data-item="1"]').drag_to(page.locator("[data-tray]"))
    assert draft(desk) == [[3], [0, 2]]
    desk.press("Enter")
    expect(page.locator("#notice")).not_to_be_empty()  # says that reply 2 has no place
    assert not Judgment.objects.exists()
    page.locator('.chip[data-item="1"]').drag_to(page.locator('[data-gap="2"]'))
    page.get_by_role("button", name="Submit").click()

    expect(page.locator("#saved")).to_have_text("Saved ✓")
    assert Judgment.objects.get().answer == {"tiers": [[0], [1, 3], [2]]}


def test_a_click_on_a_card_places_it_and_cards_show_their_rank(factory: Factory, desk: Desk) -> None:
    slot = held_slot(factory)
    page = desk.page
    desk.sign_in(factory.bob())
    desk.open(f"/label/{slot.campaign_id}/")

    for place in (1, 0):
        page.locator(f'[data-places="{place}"]').click()

    expect(page.locator('[data-rank-of="1"]')).to_have_text("1st")
    expect(page.locator('[data-rank-of="0"]')).to_have_text("2nd")
    expect(page.locator('[data-places="0"]')).to_be_hidden()


def test_cant_judge_needs_no_order(factory: Factory, desk: Desk) -> None:
    slot = held_slot(factory)
    desk.sign_in(factory.bob())
    desk.open(f"/label/{slot.campaign_id}/")

    desk.press("1", "c", "Enter")

    expect(desk.page.locator("#saved")).to_have_text("Saved ✓")
    assert Judgment.objects.get().answer == {"cant_judge": True}
