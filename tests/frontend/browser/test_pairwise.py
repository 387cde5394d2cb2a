"""Pairwise labeling in a real browser."""

import re

import pytest
from playwright.sync_api import expect

from annotation import question as questions
from annotation.models import Judgment, Slot
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser


def test_a_labeler_works_from_sign_in_to_the_last_task_by_keyboard_alone(factory: Factory, desk: Desk) -> None:
    factory.campaign("Round two", num_comparisons=4, question=questions.pairwise(allows_both_bad=True))
    page = desk.page
    desk.sign_in(factory.bob())
    while page.evaluate("document.activeElement.textContent") != "Start":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/label/*/")
    page.evaluate("window.isSamePage = true")

    for number, key in enumerate(["1", "ArrowRight", "t", "b"], start=1):
        desk.press(key, "Enter")
        expect(page.locator("#day strong")).to_have_text(str(number))
        expect(page.locator("#saved")).to_contain_text("Saved")

    expect(page.locator("#task")).to_contain_text("You have judged everything")
    assert page.evaluate("window.isSamePage") is True
    first, second, tie, both_bad = Judgment.objects.order_by("pk")
    assert first.answer["tiers"] == [[first.display_order[0]], [first.display_order[1]]]
    assert second.answer["tiers"] == [[second.display_order[1]], [second.display_order[0]]]
    assert tie.answer == {"tiers": [[0, 1]]}
    assert both_bad.answer == {"tiers": [[0, 1]], "both_bad": True}
    assert desk.complaints == []


def test_the_mouse_does_the_same_and_time_is_measured(factory: Factory, desk: Desk) -> None:
    slot = factory.leased_slot()  # shown in reverse
    left = slot.comparison.candidates.get(position=1).completion.text
    desk.sign_in(factory.bob())
    desk.page.get_by_role("link", name="Start").click()
    expect(desk.page.locator(".reply").first).to_contain_text(left)

    desk.press()
    desk.page.get_by_role("button", name="A is better").click()
    desk.page.get_by_role("button", name="Submit").click()

    expect(desk.page.locator("#day strong")).to_have_text("1")
    expect(desk.page.locator("#saved")).to_have_text("Saved ✓")
    judgment = Judgment.objects.get()
    assert judgment.answer == {"tiers": [[1], [0]]}
    assert judgment.display_order == [1, 0]
    assert 0 < judgment.active_ms <= judgment.total_ms
    assert desk.complaints == []


def test_both_replies_start_level_in_equal_columns_and_nothing_is_chosen(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign()
    prompt = factory.prompt()
    factory.comparison(campaign, prompt, completions=factory.completions(prompt, ["short", "long " * 400]))
    desk.sign_in(factory.bob())
    desk.open(f"/label/{campaign.pk}/")

    first, second = (desk.page.locator(".reply").nth(place).bounding_box() for place in (0, 1))

    assert first is not None
    assert second is not None
    assert first["y"] == second["y"]
    assert first["width"] == second["width"]
    assert desk.page.locator(".is-chosen").count() == 0
    expect(desk.page.get_by_role("button", name="A is better")).to_be_in_viewport()


def test_no_shortcut_fires_while_a_text_box_has_the_focus(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=1)
    desk.sign_in(factory.bob())
    desk.open(f"/label/{campaign.pk}/")
    desk.page.evaluate("document.querySelector('.task-scroll').append(document.createElement('textarea'))")
    desk.page.locator("textarea").click()

    desk.press("1", "g", "?", "2")

    expect(desk.page.locator("textarea")).to_have_value("1g?2")
    assert desk.page.locator("dialog[open]").count() == 0
    assert not Judgment.objects.exists()


def test_guidelines_keys_and_raw_text_are_one_key_away(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=1, guidelines="Be **fair**.")
    page = desk.page
    desk.sign_in(factory.bob())
    desk.open(f"/label/{campaign.pk}/")

    desk.press("g")
    expect(page.locator("#guidelines strong")).to_be_visible()
    desk.press("Escape")
    expect(page.locator("#guidelines")).to_be_hidden()
    desk.press("?")
    expect(page.locator("#keys")).to_be_visible()
    desk.press("1", "Escape")
    expect(page.locator("#keys")).to_be_hidden()
    desk.press("r")
    expect(page.locator(".reply [data-raw]").first).to_be_visible()
    assert not Judgment.objects.exists()
    assert desk.complaints == []


def test_leaving_gives_all_tasks_back(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=3)
    held = Slot.objects.filter(annotator__user=factory.bob())
    desk.label(factory.bob(), campaign)
    desk.wait_until(lambda: held.count() == 2)  # the task on the page and the next one

    desk.open("/")

    desk.wait_until(lambda: not held.exists())


def test_a_page_that_is_loaded_again_keeps_its_task(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=1)
    desk.label(factory.bob(), campaign)

    for _ in range(3):
        desk.page.reload()
    desk.press("1", "Enter")

    expect(desk.page.locator("#saved")).to_have_text("Saved ✓")
    assert Judgment.objects.count() == 1


def test_without_a_choice_nothing_is_sent(factory: Factory, desk: Desk) -> None:
    desk.label(factory.bob(), factory.campaign(num_comparisons=1))
    top = desk.page.locator(".replies").bounding_box()

    desk.press("Enter")

    expect(desk.page.locator("#notice")).to_contain_text("Choose an answer first.")
    assert desk.page.locator(".replies").bounding_box() == top, "the text stays where it is"
    assert not Judgment.objects.exists()
    desk.press("1")
    expect(desk.page.locator("#notice")).to_be_empty()


def test_the_next_task_is_shown_before_the_server_has_heard_of_the_answer(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=3)
    page = desk.page
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    page.route("**/submit/", lambda route: None)  # hangs
    first = desk.slot()

    desk.press("1", "Enter")

    expect(page.locator("#task input[name=slot]")).not_to_have_value(str(first))
    expect(page.locator("#saved")).to_have_text("Saving 1 …")
    expect(page.locator("#labeling")).to_have_attribute("data-swap-ms", re.compile(r"^\d+\.\d$"))
    assert not Judgment.objects.exists()
