"""Passages marked as good or bad, in a real browser: the stored offsets are those of the raw text."""

from typing import Any

import pytest
from playwright.sync_api import expect

from annotation import question as questions
from annotation.models import Campaign, Judgment
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser

TEXT = "Ten 👍 **bold** words, and ten *other* words.\r\nA line\u202e more."
SELECT = """([selector, start, end]) => {
    const root = document.querySelector(selector), range = document.createRange();
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    let seen = 0, node;
    while ((node = walker.nextNode())) {
        if (seen <= start && start < seen + node.length) range.setStart(node, start - seen);
        if (seen < end && end <= seen + node.length) range.setEnd(node, end - seen);
        seen += node.length;
    }
    getSelection().removeAllRanges();
    getSelection().addRange(range);
}"""


@pytest.fixture
def campaign(factory: Factory) -> Campaign:
    """Twice the same text, so that the order does not matter."""
    campaign = factory.campaign(question=questions.pairwise(asks_spans=True))
    prompt = factory.prompt()
    factory.comparison(campaign, prompt, completions=factory.completions(prompt, [TEXT, f"{TEXT} "]))
    return campaign


def select(desk: Desk, part: str, *, view: str) -> None:
    """Select a part of the first reply, in the rendered text or the raw one."""
    selector = f'.reply[data-place="0"] {view}'
    text: str = desk.page.eval_on_selector(selector, "element => element.textContent")
    units = text.encode("utf-16-le").index(part.encode("utf-16-le")) // 2
    desk.page.evaluate(SELECT, [selector, units, units + len(part.encode("utf-16-le")) // 2])


def stored_spans(desk: Desk) -> list[tuple[str, str]]:
    """(the marked characters, the label) of the stored answer."""
    desk.press("Escape", "1", "Enter")
    desk.wait_until(Judgment.objects.exists)
    judgment = Judgment.objects.get()
    texts = list(judgment.comparison.candidates.order_by("position").values_list("completion__text", flat=True))
    spans: list[dict[str, Any]] = judgment.answer.get("spans", [])
    return [(texts[span["completion"]][span["start"] : span["end"]], span["label"]) for span in spans]


def test_what_is_selected_in_the_raw_text_is_what_is_stored(factory: Factory, campaign: Campaign, desk: Desk) -> None:
    desk.label(factory.bob(), campaign)
    desk.press("r")

    for part, key in [("👍 **bold**", "+"), ("A line\u202e more", "-")]:
        select(desk, part, view="[data-raw]")
        desk.page.keyboard.press(key)

    expect(desk.page.locator(".spans li")).to_have_count(2)
    assert stored_spans(desk) == [("👍 **bold**", "good"), ("A line\u202e more", "bad")]
    assert desk.complaints == []


def test_a_unique_passage_of_the_rendered_text_is_found_in_the_raw_one(
    factory: Factory, campaign: Campaign, desk: Desk
) -> None:
    desk.label(factory.bob(), campaign)
    desk.press()

    select(desk, "words, and ten", view=".view-rendered")
    desk.page.get_by_role("toolbar", name="Mark the selected passage").get_by_role("button", name="Bad").click()

    expect(desk.page.locator(".spans li q").first).to_have_text("words, and ten")
    assert stored_spans(desk) == [("words, and ten", "bad")]


@pytest.mark.parametrize("part", ["bold words", "words"])
def test_a_passage_whose_place_is_uncertain_is_asked_for_in_the_raw_view(
    factory: Factory, campaign: Campaign, desk: Desk, part: str
) -> None:
    desk.label(factory.bob(), campaign)
    desk.press()

    select(desk, part, view=".view-rendered")
    desk.page.keyboard.press("+")

    expect(desk.page.locator(".spans [data-said]").first).to_contain_text("Mark them here, in the raw text.")
    expect(desk.page.locator(".reply [data-raw]").first).to_be_visible()
    expect(desk.page.locator(".spans li")).to_have_count(0)


def test_a_new_mark_replaces_what_it_overlaps_and_marks_can_be_removed(
    factory: Factory, campaign: Campaign, desk: Desk
) -> None:
    desk.label(factory.bob(), campaign)
    desk.press("r")
    for part, key in [("words, and ten", "+"), ("and", "-"), ("A line", "+")]:
        select(desk, part, view="[data-raw]")
        desk.page.keyboard.press(key)

    desk.page.get_by_role("button", name="Remove the mark on A line").click()

    assert stored_spans(desk) == [("words, ", "good"), ("and", "bad"), (" ten", "good")]


def test_passages_are_marked_by_keyboard_alone(factory: Factory, campaign: Campaign, desk: Desk) -> None:
    desk.label(factory.bob(), campaign)

    desk.press("m", "+")

    expect(desk.page.locator(".spans li q").first).to_have_text("Ten")
    assert [text.strip() for text, _ in stored_spans(desk)] == ["Ten"]


def test_marks_are_painted_and_come_back_with_undo(factory: Factory, campaign: Campaign, desk: Desk) -> None:
    desk.label(factory.bob(), campaign)
    desk.press("r")
    select(desk, "A line", view="[data-raw]")
    desk.page.keyboard.press("+")
    painted = "[...CSS.highlights.get('span-good')].filter(range => range.startContainer.isConnected).map(String)"
    assert "A line" in desk.page.evaluate(painted)

    assert stored_spans(desk) == [("A line", "good")]
    desk.press("z")

    expect(desk.page.locator(".spans li q").first).to_have_text("A line")
    assert "A line" in desk.page.evaluate(painted)
