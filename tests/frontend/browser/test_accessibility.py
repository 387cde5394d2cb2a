"""The labeler's page under axe-core: WCAG 2.2 AA for every kind of question, light and dark, and without a mouse."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from annotation import presets
from annotation import question as questions
from annotation.models import Campaign, Comparison
from annotation.opt_outs import SENSITIVE
from annotation.question import Question
from generation.models import Prompt
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"heading-order": {"enabled": False}},  # a reply may begin with a heading of any level
}
EVERYTHING = questions.pairwise(
    num_strengths=7,
    allows_both_bad=True,
    rating_points=7,
    aspects=("helpfulness", "honesty"),
    asks_safety=True,
    flags=("hallucination", "rude"),
    reasons=("clearer", "shorter"),
    rationale="required",
    asks_spans=True,
    asks_edit=True,
)
QUESTIONS: dict[str, Question] = {
    "everything": EVERYTHING,
    "top three": questions.ranking(6, top_k=3),
    "tray": questions.ranking(5, allows_unranked=True),
    **{name: make() for name, (_, make) in presets.PRESETS.items()},
}
OVERLAPS = """() => {
    const buttons = [...document.querySelectorAll(".answer-bar button, .send button")];
    const boxes = buttons.map((button) => button.getBoundingClientRect());
    const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    return boxes.some((a, i) => boxes.some((b, j) => i < j && overlap(a, b)));
}"""
LONG = "Plants turn light into chemical energy, and they do so slowly. " * 8
RICH = """# Title

Some **bold**, `code`, a [link](https://example.org), $x^2$ and a price of $5.

```python
@cached
class Counter(dict):  # counts
    def add(self, word: str) -> int:
        return self.get(word, 0) + 1 if word != "\\n" else None
```

> A quote

| a | b |
|---|--:|
| 1 | 2 |
"""


def campaign_with(factory: Factory, question: Question) -> Campaign:
    """A task with rich text in all replies, folds and earlier turns."""
    campaign = factory.campaign(question=question, guidelines="# Be fair\n\nAlways.")
    prompt = factory.prompt()
    turns = [("user", "Hi"), ("assistant", "Hello!"), ("user", "**Write** something.")]
    Prompt.objects.filter(pk=prompt.pk).update(messages=[{"role": role, "content": text} for role, text in turns])
    texts = [f"{LONG}\n\n{RICH}\n\nReply {number}" for number in range(question.num_completions)]
    factory.comparison(campaign, prompt, completions=factory.completions(prompt, texts))
    return campaign


def violations(page: Page) -> list[str]:
    """What axe-core finds on the page as it stands, one line each."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{each['id']}: {node['html'][:160]} {node['failureSummary']}" for each in found for node in each["nodes"]]


def spoken(page: Page) -> list[str]:
    """The names of everything that the browser hands to a screen reader."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return [str(node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", QUESTIONS)
def test_every_kind_of_question_meets_wcag_aa(factory: Factory, desk: Desk, name: str, scheme: str) -> None:
    desk.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    desk.label(factory.bob(), campaign_with(factory, QUESTIONS[name]))
    desk.page.locator("details").evaluate_all("all => all.forEach(each => each.open = true)")

    assert violations(desk.page) == []
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert desk.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_answers_that_are_given_meet_wcag_aa(factory: Factory, desk: Desk, scheme: str) -> None:
    desk.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    desk.label(factory.bob(), campaign_with(factory, EVERYTHING))
    desk.press("x", *"7541", *"6541", "Enter", "d", "y")
    for box in desk.page.get_by_role("checkbox").all():
        box.check()
    desk.press("1", "Enter")

    expect(desk.page.locator(".is-missing")).to_have_count(1)
    assert violations(desk.page) == []


@pytest.mark.parametrize("keys", ["2", "2 5 = 1", "2 5 = 1 4"])
def test_a_ranking_under_construction_meets_wcag_aa(factory: Factory, desk: Desk, keys: str) -> None:
    desk.label(factory.bob(), campaign_with(factory, QUESTIONS["top three"]))
    desk.press(*keys.split())

    assert violations(desk.page) == []


def test_a_blurred_task_meets_wcag_aa_and_hides_its_text_from_screen_readers(factory: Factory, desk: Desk) -> None:
    campaign = campaign_with(factory, questions.pairwise())
    Comparison.objects.update(categories=[SENSITIVE])
    desk.label(factory.bob(), campaign)

    assert violations(desk.page) == []
    assert not any("something" in said for said in spoken(desk.page))
    desk.press("v")
    assert any("something" in said for said in spoken(desk.page))


@pytest.mark.parametrize("size", [(1366, 768), (1024, 768)])
def test_a_task_fits_a_laptop_and_a_tablet(factory: Factory, desk: Desk, size: tuple[int, int]) -> None:
    desk.page.set_viewport_size({"width": size[0], "height": size[1]})
    desk.label(factory.bob(), campaign_with(factory, EVERYTHING))

    for button in desk.page.locator(".answer-bar button").all():
        expect(button).to_be_in_viewport(ratio=1)
    assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert desk.page.evaluate(OVERLAPS) is False


def test_a_screen_reader_meets_prompt_reply_a_reply_b_and_answer_in_this_order(factory: Factory, desk: Desk) -> None:
    desk.label(factory.bob(), campaign_with(factory, EVERYTHING))

    tree = desk.page.locator("#task").aria_snapshot()

    places = [
        tree.index(part) for part in ('region "Prompt"', "Reply A", "Reply B", 'Your answer in words"', "A is better")
    ]
    assert places == sorted(places)


def test_chips_can_be_dragged_by_finger(factory: Factory, desk: Desk) -> None:
    desk.label(factory.bob(), campaign_with(factory, questions.ranking(3)))
    desk.press("1", "2")
    chip, gap = (desk.page.locator(each).bounding_box() for each in ('.chip[data-item="2"]', '[data-gap="0"]'))
    assert chip is not None
    assert gap is not None
    touch = desk.page.context.new_cdp_session(desk.page)
    start = {"x": chip["x"] + chip["width"] / 2, "y": chip["y"] + chip["height"] / 2}
    end = {"x": gap["x"] + gap["width"] / 2, "y": gap["y"] + gap["height"] / 2}

    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [start]})
    for share in (0.3, 0.7, 1):
        at = {axis: start[axis] + share * (end[axis] - start[axis]) for axis in "xy"}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    expect(desk.page.locator("input[name=answer]")).to_have_value('{"tiers":[[2],[0],[1]]}')


def test_nothing_moves_for_those_who_asked_for_less_motion(factory: Factory, desk: Desk) -> None:
    desk.page.emulate_media(reduced_motion="reduce")
    desk.label(factory.bob(), campaign_with(factory, questions.pairwise()))

    durations = desk.page.locator("#task button").evaluate_all(
        "all => all.map(b => getComputedStyle(b).transitionDuration)"
    )
    assert set(durations) == {"0s"}
