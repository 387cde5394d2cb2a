"""Ways of reading a task, in a real browser."""

import pytest
from playwright.sync_api import Locator, expect

from annotation.models import Campaign, Comparison, Judgment
from annotation.opt_outs import SENSITIVE
from generation.models import Prompt
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser

LONG = "Plants turn light into chemical energy, and they do so slowly. " * 8


def campaign_with(factory: Factory, *texts: str, **fields: object) -> Campaign:
    """One comparison of these replies."""
    campaign = factory.campaign()
    prompt = factory.prompt()
    comparison = factory.comparison(campaign, prompt, completions=factory.completions(prompt, list(texts)))
    Comparison.objects.filter(pk=comparison.pk).update(**fields)
    return campaign


def heights(locator: Locator) -> list[float]:
    return [float(top) for top in locator.evaluate_all("all => all.map(each => each.getBoundingClientRect().top)")]


def test_raw_text_is_shown_and_stays_for_the_next_task(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=2)
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()

    desk.press("r")
    expect(desk.page.locator(".reply .view-raw").first).to_be_visible()
    expect(desk.page.locator(".reply .view-rendered").first).to_be_hidden()
    expect(desk.page.locator("[data-reads=raw]")).to_have_attribute("aria-pressed", "true")
    desk.press("1", "Enter")
    expect(desk.page.locator("#day [data-done]")).to_have_text("1")

    expect(desk.page.locator(".reply .view-raw").first).to_be_visible()
    desk.press("r")
    expect(desk.page.locator(".reply .view-rendered").first).to_be_visible()
    assert desk.complaints == []


def test_the_words_that_differ_are_marked_in_both_columns(factory: Factory, desk: Desk) -> None:
    campaign = campaign_with(factory, "The quick brown cat sat on the mat.", "The quick brown dog sat on the mat.")
    desk.label(factory.bob(), campaign)

    desk.press("d")

    marks = desk.page.locator(".view-differences mark")
    expect(marks).to_have_count(2)
    assert sorted(marks.all_inner_texts()) == ["cat", "dog"]
    expect(marks.first).to_be_visible()
    assert "underline" in marks.first.evaluate("mark => getComputedStyle(mark).textDecorationLine")
    desk.press("d")
    expect(marks.first).to_be_hidden()


def test_unlike_replies_offer_no_differences(factory: Factory, desk: Desk) -> None:
    campaign = campaign_with(factory, "All of this.", "Nothing alike here")
    desk.label(factory.bob(), campaign)

    desk.press("d")

    assert desk.page.locator("[data-reads=differences]").count() == 0
    expect(desk.page.locator(".reply .view-rendered").first).to_be_visible()


def test_a_shared_beginning_opens_in_all_replies_at_once(factory: Factory, desk: Desk) -> None:
    campaign = campaign_with(factory, f"{LONG}\n\nFirst.", f"{LONG}\n\nSecond.")
    desk.label(factory.bob(), campaign)
    folds = desk.page.locator("details.common")
    expect(folds).to_have_count(2)
    expect(folds.first.locator("summary")).to_contain_text("88 words at the beginning are the same in both replies")

    folds.first.locator("summary").click()

    expect(folds.nth(1)).to_have_attribute("open", "")
    tops = heights(desk.page.locator(".reply .view-rendered > p"))
    assert tops[0] == tops[1]
    desk.press("f")
    expect(folds.first).not_to_have_attribute("open", "")


def test_earlier_turns_are_folded_with_a_count_and_the_prompt_folds(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=1)
    turns = [("user", "Hi"), ("assistant", "Hello!"), ("user", "A **long** question. " * 40)]
    Prompt.objects.update(messages=[{"role": role, "content": content} for role, content in turns])
    desk.label(factory.bob(), campaign)
    expect(desk.page.locator(".earlier summary")).to_contain_text("2 earlier turns")
    hello = desk.page.locator(".earlier .view-rendered", has_text="Hello!")
    expect(hello).to_be_hidden()

    desk.press("e")
    expect(hello).to_be_visible()
    before = desk.page.locator(".prompt").evaluate("prompt => prompt.offsetHeight")
    desk.press("p")

    expect(desk.page.locator("[data-reads=prompt]")).to_have_attribute("aria-expanded", "false")
    assert desk.page.locator(".prompt").evaluate("prompt => prompt.offsetHeight") < before / 2


def test_replies_scroll_together_or_apart(factory: Factory, desk: Desk) -> None:
    campaign = campaign_with(factory, "one\n\n" * 200, "two\n\n" * 200)
    desk.label(factory.bob(), campaign)
    texts = desk.page.locator(".reply-text")

    desk.page.locator(".task-scroll").evaluate("element => element.scrollTo(0, 500)")
    tops = heights(texts)
    assert tops[0] == tops[1] < 0
    desk.press("y")
    texts.first.evaluate("text => text.scrollTo(0, 500)")

    assert texts.evaluate_all("all => all.map(each => each.scrollTop)") == [500, 0]
    expect(texts.first).to_have_attribute("tabindex", "0")
    expect(desk.page.locator(".reply h3").first).to_be_in_viewport()


def test_sensitive_tasks_are_blurred_and_unanswerable_until_asked_for(factory: Factory, desk: Desk) -> None:
    campaign = campaign_with(factory, "a sensitive reply", "another", categories=[SENSITIVE])
    desk.label(factory.bob(), campaign)
    text = desk.page.locator(".reply-text").first
    assert "blur" in text.evaluate("element => getComputedStyle(element).filter")
    assert desk.page.locator(".prompt-text").evaluate("element => element.inert") is True
    expect(desk.page.locator(".help-is-near")).to_be_visible()

    desk.press("1", "Enter", "1")
    assert desk.page.locator(".is-chosen").count() == 0
    desk.press("v")
    assert text.evaluate("element => getComputedStyle(element).filter") == "none"
    assert text.evaluate("element => element.inert") is False
    desk.press("1", "Enter")

    expect(desk.page.locator("#day [data-done]")).to_have_text("1")
    desk.wait_until(Judgment.objects.exists)
    assert desk.complaints == []


def test_right_to_left_text_stands_right_and_control_characters_are_named(factory: Factory, desk: Desk) -> None:
    campaign = campaign_with(factory, "שלום! זה טקסט.", "invoice\u202efdp.exe")
    desk.label(factory.bob(), campaign)

    hebrew = desk.page.locator(".reply .view-rendered p", has_text="שלום")
    assert hebrew.evaluate("p => getComputedStyle(p).direction") == "rtl"
    expect(desk.page.locator(".reply .view-rendered").get_by_text("⟨U+202E⟩")).to_be_visible()
    desk.press("r")
    raw = desk.page.locator("[data-raw]", has_text="invoice")
    expect(raw.locator(".control")).to_have_attribute("title", "right-to-left override")
    assert raw.evaluate("pre => pre.textContent") == "invoice\u202efdp.exe"
