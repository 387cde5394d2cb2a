"""Points, flags, reasons, texts and edits in a real browser."""

from typing import Any

import pytest
from playwright.sync_api import expect

from annotation import presets
from annotation import question as questions
from annotation.models import Campaign, Judgment, Slot
from annotation.question import Question
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser


def held(factory: Factory, question: Question) -> Campaign:
    """One task that Bob holds, shown in reverse."""
    return factory.leased_slot(factory.campaign(question=question)).campaign


def answer(desk: Desk) -> dict[str, Any]:
    """The stored answer, once there is one; it speaks of completions, and those were shown in reverse."""
    desk.wait_until(Judgment.objects.exists)
    stored: dict[str, Any] = Judgment.objects.get().answer
    return stored


def label(desk: Desk, factory: Factory, campaign: Campaign) -> None:
    desk.label(factory.bob(), campaign)
    desk.press()


def test_helpsteer_aspects_are_given_by_digits_alone(factory: Factory, desk: Desk) -> None:
    label(desk, factory, held(factory, presets.helpsteer_aspects(2)))

    desk.press(*"54321", *"12345", "Enter")

    assert answer(desk) == {
        "tiers": [[1], [0]],
        "ratings": [1, 5],
        "aspects": {"correctness": [2, 4], "coherence": [3, 3], "complexity": [4, 2], "verbosity": [5, 1]},
    }
    assert desk.complaints == []


def test_a_thumb_is_one_digit_and_enter(factory: Factory, desk: Desk) -> None:
    label(desk, factory, held(factory, presets.kto_thumbs()))

    desk.press("Enter")
    expect(desk.page.locator("#notice")).to_contain_text("Rating is missing.")
    desk.press("2", "Enter")

    assert answer(desk) == {"tiers": [[0]], "ratings": [2]}


def test_arrows_move_inside_a_scale_and_do_not_answer(factory: Factory, desk: Desk) -> None:
    label(desk, factory, held(factory, questions.pairwise(rating_points=7)))

    desk.press("x", "ArrowRight", "ArrowRight", "ArrowRight")
    expect(desk.page.get_by_role("radio", name="3").first).to_be_checked()
    assert desk.page.locator(".is-chosen").count() == 0
    desk.press("Delete")
    expect(desk.page.locator("input:checked")).to_have_count(0)
    desk.press("Escape", "ArrowRight")

    expect(desk.page.locator(".is-chosen")).to_contain_text("B is better")


def test_a_mouse_leaves_no_focus_behind_that_catches_the_next_digit(factory: Factory, desk: Desk) -> None:
    label(desk, factory, held(factory, questions.pairwise(rating_points=3)))
    page = desk.page

    page.locator(".reply").first.get_by_role("radio", name="3", exact=True).click()
    page.locator(".reply").nth(1).get_by_role("radio", name="1", exact=True).click()
    desk.press("1", "Enter")

    assert answer(desk) == {"tiers": [[1], [0]], "ratings": [1, 3]}


def test_a_second_click_takes_a_point_back(factory: Factory, desk: Desk) -> None:
    label(desk, factory, held(factory, questions.pairwise(rating_points=3)))
    point = desk.page.locator(".reply").first.get_by_role("radio", name="2", exact=True)

    point.click()
    expect(desk.page.locator("input:checked")).to_have_count(1)
    point.click()

    expect(desk.page.locator("input:checked")).to_have_count(0)


def test_an_unsafe_preference_is_refused_at_once(factory: Factory, desk: Desk) -> None:
    label(desk, factory, held(factory, presets.llama2_pairwise_safety()))
    page = desk.page

    desk.press("x", "2", "1", "1", "Enter")  # A unsafe, B safe, A significantly better
    expect(page.locator("#notice")).to_contain_text("Reply A is unsafe and cannot be better than B")
    expect(page.locator("fieldset.is-missing")).to_have_count(1)
    desk.press("1", "Escape", "Enter")

    assert answer(desk) == {"tiers": [[1], [0]], "strength": 4, "safety": ["safe", "safe"]}


def test_points_that_contradict_the_order_are_refused_at_once(factory: Factory, desk: Desk) -> None:
    label(desk, factory, held(factory, questions.pairwise(rating_points=5)))

    desk.press("x", "2", "4", "1", "Enter")

    expect(desk.page.locator("#notice")).to_contain_text("Reply A is placed above B but has fewer points")
    assert not Judgment.objects.exists()


def test_flags_fold_if_there_are_many_and_say_what_was_chosen(factory: Factory, desk: Desk) -> None:
    label(desk, factory, held(factory, presets.instructgpt_ranking(4)))
    page = desk.page
    card = page.locator(".reply").first

    card.locator("summary", has_text="Flags").click()
    card.get_by_role("checkbox", name="Hallucination").click()
    expect(card.locator("[data-chosen]")).to_have_text(": Hallucination")
    desk.press("x", "7", "5", "5", "1")
    desk.press("1", "=", "2", "3", "4", "Enter")

    assert answer(desk) == {
        "tiers": [[2, 3], [1], [0]],
        "ratings": [1, 5, 5, 7],
        "flags": [[], [], [], ["Hallucination"]],
    }


def test_reasons_and_a_required_rationale_go_with_the_answer(factory: Factory, desk: Desk) -> None:
    question = questions.pairwise(reasons=("clearer", "shorter"), rationale="required")
    campaign = held(factory, question)
    Slot.objects.update(wants_rationale=True)
    label(desk, factory, campaign)

    desk.press("2", "Enter")
    expect(desk.page.locator("#notice")).to_contain_text("Say in a sentence why.")
    expect(desk.page.locator("#rationale")).to_be_focused()
    desk.page.keyboard.type("It is 1 of 2 that answers.")
    desk.page.get_by_role("checkbox", name="shorter").click()
    desk.press("n", "Control+Enter")

    assert answer(desk) == {
        "tiers": [[0], [1]],
        "reasons": ["shorter"],
        "rationale": "It is 1 of 2 that answers.",
    }


def test_the_best_reply_can_be_edited_and_only_the_best(factory: Factory, desk: Desk) -> None:
    label(desk, factory, held(factory, questions.pairwise(asks_edit=True)))
    page = desk.page
    shown = page.locator(".reply").nth(1).locator("[data-raw]").text_content()

    page.get_by_role("button", name="Edit B").click()
    expect(page.locator("#edited")).to_have_value(shown or "")
    page.keyboard.type("Better: ")
    desk.press("Escape", "1", "Enter")
    expect(page.locator("#notice")).to_contain_text("You edited reply B, which is not the best")
    desk.press("Escape", "2", "Enter")

    assert answer(desk) == {"tiers": [[0], [1]], "edited": {"completion": 0, "text": f"Better: {shown}"}}


def test_an_edit_that_changes_nothing_is_none(factory: Factory, desk: Desk) -> None:
    label(desk, factory, held(factory, questions.pairwise(asks_edit=True)))

    desk.press("1", "w", "Control+Enter")

    assert answer(desk) == {"tiers": [[1], [0]]}


def test_a_demonstration_is_written_and_sent_from_the_keyboard(factory: Factory, desk: Desk) -> None:
    label(desk, factory, held(factory, presets.sft_demonstration()))
    page = desk.page
    expect(page.locator("#demonstration")).to_be_focused()

    desk.press("Control+Enter")
    expect(page.locator("#notice")).to_contain_text("Write the reply first.")
    page.keyboard.type("It is four.")
    expect(page.locator("[data-counts]")).to_have_text("3 words")
    desk.press("Control+Enter")

    assert answer(desk) == {"demonstration": "It is four."}


def test_what_was_answered_comes_back_with_undo(factory: Factory, desk: Desk) -> None:
    question = questions.pairwise(
        rating_points=7,
        aspects=("honesty",),
        asks_safety=True,
        flags=("rude",),
        reasons=("clearer",),
        rationale="optional",
    )
    label(desk, factory, held(factory, question))
    page = desk.page

    desk.press("x", *"741", *"651")
    page.locator(".reply").first.get_by_role("checkbox", name="rude").click()
    page.get_by_role("checkbox", name="clearer").click()
    desk.press("n")
    page.keyboard.type("because")
    desk.press("Escape", "1", "Enter")
    first = answer(desk)
    desk.press("z")

    expect(page.locator("input:checked")).to_have_count(8)
    expect(page.locator("#rationale")).to_have_value("because")
    expect(page.locator(".is-chosen")).to_contain_text("A is better")
    assert first["ratings"] == [6, 7]
    assert first["aspects"] == {"honesty": [5, 4]}
    assert first["flags"] == [[], ["rude"]]
    assert desk.complaints == []
