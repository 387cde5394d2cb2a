"""Rankings with a top k, with a tray, and orders that were never touched, in a real browser."""

import pytest
from playwright.sync_api import expect

from annotation import question as questions
from annotation.models import Campaign, Judgment
from annotation.question import Question
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser


def held(factory: Factory, question: Question) -> Campaign:
    """One task that Bob holds, its replies shown in reverse: place 0 has the highest index."""
    return factory.leased_slot(factory.campaign(question=question)).campaign


def stored(desk: Desk) -> Judgment:
    desk.wait_until(Judgment.objects.exists)
    return Judgment.objects.get()


def test_the_best_three_are_ordered_and_a_line_stands_below_them(factory: Factory, desk: Desk) -> None:
    desk.label(factory.bob(), held(factory, questions.ranking(6, top_k=3)))
    page = desk.page

    desk.press("2", "5", "Enter")
    expect(page.locator("#notice")).to_contain_text("Place the best 3: 2 stand in the order now.")
    expect(page.locator(".top-line")).to_have_text("1 more to place")
    desk.press("=", "1")
    expect(page.locator(".top-line")).to_have_text("best 3")
    desk.press("Enter")

    answer = stored(desk).answer
    assert answer["tiers"] == [[4], [1, 5]]
    assert answer["unranked"] == [0, 2, 3]
    assert answer["unranked_is_worse"] is True


def test_what_stays_in_the_tray_is_left_unranked(factory: Factory, desk: Desk) -> None:
    desk.label(factory.bob(), held(factory, questions.ranking(4, allows_unranked=True)))

    desk.press("3", "Enter")
    expect(desk.page.locator("#notice")).to_contain_text("Place two replies at least")
    desk.press("1", "4", "Delete", "2", "Enter")

    assert stored(desk).answer == {"tiers": [[1], [3], [2]], "unranked": [0]}


def test_an_order_that_is_exactly_as_shown_is_asked_about_once(factory: Factory, desk: Desk) -> None:
    desk.label(factory.bob(), held(factory, questions.ranking(3)))

    desk.press("1", "2", "3", "Enter")
    expect(desk.page.locator("#notice")).to_contain_text("This is exactly the order in which the replies are shown.")
    assert not Judgment.objects.exists()
    desk.press("Enter")

    assert stored(desk).answer == {"tiers": [[2], [1], [0]]}


def test_nothing_placed_is_said(factory: Factory, desk: Desk) -> None:
    desk.label(factory.bob(), held(factory, questions.ranking(3)))

    desk.press("Enter")
    expect(desk.page.locator("#notice")).to_contain_text("Nothing has been placed yet.")
    desk.press("2", "Enter")

    expect(desk.page.locator("#notice")).to_contain_text("Place every reply: 1, 3 are left.")


def test_a_focused_chip_is_the_one_that_alt_arrows_move(factory: Factory, desk: Desk) -> None:
    desk.label(factory.bob(), held(factory, questions.ranking(3)))
    desk.press("1", "2", "3")

    desk.page.locator('.chip[data-item="0"]').focus()
    desk.press("Alt+ArrowRight", "Alt+ArrowRight")

    expect(desk.page.locator("input[name=answer]")).to_have_value('{"tiers":[[1],[0],[2]]}')
    expect(desk.page.locator('.chip[data-item="0"]')).to_be_focused()


def test_a_drag_that_is_broken_off_changes_nothing(factory: Factory, desk: Desk) -> None:
    desk.label(factory.bob(), held(factory, questions.ranking(3)))
    desk.press("1", "2", "3")
    page = desk.page

    page.locator('.chip[data-item="2"]').hover()
    page.mouse.down()
    page.mouse.move(10, 10, steps=5)
    page.mouse.up()

    expect(page.locator("input[name=answer]")).to_have_value('{"tiers":[[0],[1],[2]]}')
