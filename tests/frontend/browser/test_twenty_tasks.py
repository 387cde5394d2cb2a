"""A labeler's hour in small: twenty tasks of every kind, from sign-in to the end, by keyboard alone."""

import pytest
from playwright.sync_api import expect

from annotation import question as questions
from annotation.models import Judgment
from annotation.question import Question
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser

Keys = tuple[str, ...]
WITH_KEYS = "The tide follows the moon; z, s and 1 are no keys here."
STRENGTHS = questions.pairwise(num_strengths=4, allows_both_bad=True)
BLOCKS: list[tuple[str, Question, list[tuple[Keys, dict[str, object]]]]] = [
    (
        "pairs with strengths",
        STRENGTHS,
        [
            (("1",), {"tiers": [[0], [1]], "strength": 4}),
            (("8",), {"tiers": [[1], [0]], "strength": 4}),
            (("5",), {"tiers": [[1], [0]], "strength": 1}),
            (("t",), {"tiers": [[0, 1]]}),
            (("b",), {"tiers": [[0, 1]], "both_bad": True}),
            (("2", "7", "3"), {"tiers": [[0], [1]], "strength": 2}),  # changed one's mind twice
        ],
    ),
    (
        "plain pairs",
        questions.pairwise(),
        [
            (("ArrowLeft",), {"tiers": [[0], [1]]}),
            (("ArrowRight",), {"tiers": [[1], [0]]}),
            (("0",), {"tiers": [[0, 1]]}),
            (("c",), {"cant_judge": True}),
        ],
    ),
    (
        "rankings",
        questions.ranking(4),
        [
            (("3", "1", "=", "4", "2"), {"tiers": [[2], [0, 3], [1]]}),
            (("1", "2", "3", "4", "Alt+ArrowLeft"), {"tiers": [[0], [1], [2, 3]]}),
            (("4", "3", "Backspace", "2", "3", "1"), {"tiers": [[3], [1], [2], [0]]}),
            (("c",), {"cant_judge": True}),
        ],
    ),
    (
        "ratings",
        questions.rating(7, 2),
        [
            (("6", "2"), {"tiers": [[0], [1]], "ratings": [6, 2]}),
            (("1", "7"), {"tiers": [[1], [0]], "ratings": [1, 7]}),
            (("4", "4"), {"tiers": [[0, 1]], "ratings": [4, 4]}),
        ],
    ),
    (
        "demonstrations",
        questions.demonstration(allows_cant_judge=True),
        [
            (
                (f"text:{WITH_KEYS}",),
                {"demonstration": WITH_KEYS},
            ),
            (("text:Two lines.",), {"demonstration": "Two lines."}),
            (("Escape", "c"), {"cant_judge": True}),
        ],
    ),
]


def type_answer(desk: Desk, keys: Keys) -> None:
    """Give an answer and submit it: with Enter, or with Ctrl+Enter from a text box."""
    desk.press()
    for key in keys:
        if key.startswith("text:"):
            desk.page.keyboard.type(key.removeprefix("text:"))
        else:
            desk.page.keyboard.press(key)
    desk.page.keyboard.press("Control+Enter" if keys[0].startswith("text:") else "Enter")


def displayed(judgment: Judgment) -> dict[str, object]:
    """A stored answer in the places in which it was given."""
    from frontend.labeling import displayed_answer

    return displayed_answer(judgment)


def test_twenty_tasks_of_five_kinds_by_keyboard_alone(factory: Factory, desk: Desk) -> None:
    page = desk.page
    num_done = 0
    desk.sign_in(factory.bob())
    for name, question, tasks in BLOCKS:
        factory.campaign(name, question=question, num_comparisons=len(tasks))
    for name, _, tasks in BLOCKS:
        desk.open("/")
        while page.evaluate("document.activeElement.closest('li')?.querySelector('strong')?.textContent") != name:
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("#labeling[data-state=task]")
        for keys, _ in tasks:
            type_answer(desk, keys)
            num_done += 1
            expect(page.locator("#day strong")).to_have_text(str(num_done))
        expect(page.locator("#task")).to_contain_text("You have judged everything")
        expect(page.locator("#saved")).to_have_text("Saved ✓")

    given = [displayed(judgment) for judgment in Judgment.objects.order_by("pk").select_related("slot__campaign")]
    assert given == [answer for _, _, tasks in BLOCKS for _, answer in tasks]
    assert len(given) == 20
    assert desk.complaints == []
