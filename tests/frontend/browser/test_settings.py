"""Keys of one's own."""

import pytest
from playwright.sync_api import expect

from annotation import question as questions
from annotation.models import Judgment, Skip
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser


def set_key(desk: Desk, action: str, key: str) -> None:
    desk.page.locator(f'[data-keys-of="{action}"]').focus()
    desk.page.keyboard.press(key)


def test_changed_keys_hold_at_once_everywhere_and_after_a_reload(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=3)
    page = desk.page
    desk.label(factory.bob(), campaign)

    desk.press(",")
    set_key(desk, "digit_1", "f")
    set_key(desk, "digit_2", "j")
    set_key(desk, "common", "1")
    page.get_by_role("button", name="Store").click()
    expect(page.locator("#settings")).to_be_hidden()
    expect(page.locator(".choice-first kbd")).to_have_text("F")
    desk.press("1", "Enter")  # means something else now
    assert not Judgment.objects.exists()
    desk.press("j", "Enter")
    expect(page.locator("#saved")).to_have_text("Saved ✓")

    page.reload()
    expect(page.locator(".choice-first kbd")).to_have_text("F")
    desk.press("?")
    expect(page.locator('#keys [data-action-keys="digit_1"]')).to_have_text("F")
    desk.press("Escape", "f", "Enter")
    desk.wait_until(lambda: Judgment.objects.count() == 2)
    sides = [judgment.answer["tiers"][0] == [judgment.display_order[1]] for judgment in Judgment.objects.order_by("pk")]
    assert sides == [True, False]


def test_a_clash_is_said_before_and_refused_after_the_button(factory: Factory, desk: Desk) -> None:
    page = desk.page
    desk.label(factory.bob(), factory.campaign(num_comparisons=1))
    desk.press(",")

    set_key(desk, "skip", "z")
    words = "Z is used for “back to the last answer” and for “skip, with a reason”: choose another key for one of them."
    expect(page.locator("#settings [data-problem]")).to_have_text(words)
    page.get_by_role("button", name="Store").click()

    expect(page.locator("#settings [data-problem]")).to_have_text(words)
    expect(page.locator("#settings")).to_be_visible()
    page.get_by_role("button", name="Keys as they were at first").click()
    expect(page.locator("#settings [data-problem]")).to_be_hidden()
    assert factory.person().preferences == {}


def test_one_press_mode_is_switched_on_in_the_settings(factory: Factory, desk: Desk) -> None:
    page = desk.page
    desk.label(factory.bob(), factory.campaign(num_comparisons=1))
    desk.press(",")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Store").click()
    expect(page.locator("#settings")).to_be_hidden()

    desk.press("1")

    expect(page.locator("#saved")).to_have_text("Saved ✓")


def test_tasks_that_ask_for_more_wait_for_submit_in_one_press_mode(factory: Factory, desk: Desk) -> None:
    annotator = factory.person()
    annotator.preferences = {"one_press": True}
    annotator.save()
    desk.label(factory.bob(), factory.campaign(num_comparisons=1, question=questions.pairwise(reasons=("clearer",))))

    desk.press("1")

    expect(desk.page.locator(".choice.is-chosen")).to_have_count(1)
    expect(desk.page.locator(".is-counting")).to_have_count(0)


def test_control_and_command_leave_keys_to_the_browser(factory: Factory, desk: Desk) -> None:
    desk.label(factory.bob(), factory.campaign(num_comparisons=2))

    desk.press("Control+1", "Meta+2", "Control+z", "Meta+s")

    expect(desk.page.locator(".is-chosen")).to_have_count(0)
    assert desk.page.locator("dialog[open]").count() == 0


def test_a_task_is_skipped_with_a_reason_by_two_keys(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=2)
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    skipped = desk.slot()

    desk.press("s", "4")

    expect(desk.page.locator("#saved")).to_have_text("Saved ✓")
    assert desk.slot() != skipped
    assert Skip.objects.get().reason == "The prompt or a reply is broken"
    assert not Judgment.objects.exists()


def test_a_reason_of_ones_own_is_typed(factory: Factory, desk: Desk) -> None:
    desk.label(factory.bob(), factory.campaign(num_comparisons=1))

    desk.press("s")
    desk.page.get_by_label("Another reason").fill("It is about my own employer 5")
    desk.page.keyboard.press("Enter")

    desk.wait_until(lambda: Skip.objects.exists())
    assert Skip.objects.get().reason == "It is about my own employer 5"


def test_a_break_is_recommended_after_fifty_minutes_and_the_notice_goes_when_it_is_dismissed(
    factory: Factory, desk: Desk
) -> None:
    campaign = factory.campaign(num_comparisons=4)
    page = desk.page
    page.add_init_script(
        "localStorage.getItem('concord-stretch:USER') ?? localStorage.setItem('concord-stretch:USER', "
        "JSON.stringify({since: Date.now() - 51 * 60000, seenAt: Date.now() - 1000}))".replace(
            "USER", str(factory.bob().pk)
        )
    )
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()

    desk.press("1", "Enter")
    expect(page.locator("#notice")).to_contain_text("You have worked for 51 minutes.")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#notice")).to_be_empty()
    desk.wait_for_next()
    desk.press("1", "Enter")

    expect(page.locator("#saved")).to_have_text("Saved ✓")
    expect(page.locator("#notice")).to_be_empty()
