"""The question editor in a real browser: what is typed is what the preview shows, and what is made."""

import pytest
from playwright.sync_api import expect

from annotation.models import Campaign
from annotation.question import Question, pairwise, ranking
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser


def test_a_campaign_is_written_with_its_task_beside_it(factory: Factory, desk: Desk) -> None:
    run = factory.sampling_run()
    page = desk.page
    desk.sign_in(factory.alice())
    desk.open("/campaigns/new/")

    expect(page.locator("#preview .choice")).to_have_count(3)
    expect(page.get_by_label("How many of the best")).to_be_hidden()
    page.get_by_label("Name").fill("Clarity")
    page.get_by_label("Compare the completions of").select_option(str(run.pk))
    page.get_by_label("The sentence above the replies").fill("Which reply is clearer?")
    page.get_by_label("How much better").select_option("3 degrees of better")
    expect(page.locator("#preview .question")).to_have_text("Which reply is clearer?")
    expect(page.locator("#preview .choice")).to_have_count(7)
    page.get_by_label("Guidelines", exact=True).fill("Prefer the **clearer** one.")
    expect(page.locator("#preview .preview-guidelines strong")).to_have_text("clearer")
    page.get_by_role("button", name="Create campaign").click()
    page.wait_for_url(f"{desk.address}/campaigns/*/")

    made = Campaign.objects.get()
    assert Question.from_json(made.question) == pairwise(title="Which reply is clearer?", num_strengths=3)
    assert (made.guidelines, made.comparisons.count()) == ("Prefer the **clearer** one.", 3)
    assert desk.complaints == []


def test_a_mistake_is_said_at_its_field_while_one_types(factory: Factory, desk: Desk) -> None:
    page = desk.page
    desk.sign_in(factory.alice())
    desk.open("/campaigns/new/")

    page.get_by_text("A ranking: best to worst").click()
    page.get_by_label("Replies in one task").fill("4")
    expect(page.locator("#preview .reply")).to_have_count(4)
    page.get_by_label("What is ordered").select_option("only the best few")
    expect(page.locator("#error-top_k")).to_have_text("Say how many of the best are ordered.")
    expect(page.locator("#preview .reply")).to_have_count(0)
    page.get_by_label("How many of the best").fill("2")
    expect(page.locator("#error-top_k")).to_have_text("")
    expect(page.locator("#preview .reply")).to_have_count(4)

    assert desk.complaints == []


def test_a_preset_fills_the_form_and_the_preview_cannot_be_answered(factory: Factory, desk: Desk) -> None:
    page = desk.page
    desk.sign_in(factory.alice())
    desk.open("/campaigns/new/")

    page.get_by_label("Name").fill("Ranked")
    page.get_by_role("link", name="InstructGPT ranking").click()
    expect(page.locator("#preview .reply")).to_have_count(4)
    expect(page.get_by_role("combobox", name="Points for each reply")).to_have_value("7")
    expect(page.get_by_label("Name")).to_have_value("Ranked")
    assert page.locator("#preview button:not(:disabled), #preview input:not(:disabled)").count() == 0

    assert desk.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_revision_is_listed_with_what_changed(factory: Factory, desk: Desk, scheme: str) -> None:
    campaign = factory.campaign(question=ranking(3), num_comparisons=1)
    page = desk.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    desk.sign_in(factory.alice())
    desk.open(f"/campaigns/{campaign.pk}/edit/")

    expect(page.get_by_text("A change makes a new version")).to_be_visible()
    expect(page.get_by_label("Replies in one task")).to_be_disabled()
    page.get_by_label("Reasons to choose from").fill("clearer\nkinder")
    expect(page.locator("#preview")).to_contain_text("kinder")
    page.get_by_role("button", name="Save as version 2").first.click()

    expect(page.locator("#notice")).to_contain_text("Version 2 of the question")
    campaign.refresh_from_db()
    assert campaign.question["reasons"] == ["clearer", "kinder"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert desk.complaints == []
