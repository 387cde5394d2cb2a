"""Starting a sampling run in a browser: arms come and go, and the page says what they come to."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser


def test_arms_come_and_go_and_what_they_come_to_is_said(factory: Factory, desk: Desk) -> None:
    prompt_set, _ = factory.prompt_set(num_prompts=10), factory.model("Base")
    desk.sign_in(factory.dana())
    desk.open(f"/prompt-sets/{prompt_set.pk}/")
    page = desk.page
    page.get_by_role("link", name="Sample candidates").click()
    page.get_by_label("Prompts").select_option("all")
    completions = page.locator(".sampling-estimate strong")
    expect(completions).to_have_text("40")
    for _ in range(2):
        page.get_by_role("button", name="Add an arm").click()
    expect(completions).to_have_text("120")
    page.get_by_role("button", name="Remove arm 2").click()
    expect(completions).to_have_text("80")
    last = page.locator(".sampling-arm").last
    last.get_by_label("Name").fill("Brief")
    last.get_by_text("System prompt, stops").click()
    last.get_by_label("System prompt").fill("Be brief.")
    last.get_by_label("Completions").fill("1")
    expect(completions).to_have_text("50")
    page.get_by_role("button", name="Start sampling").click()
    page.wait_for_url("**/sampling-runs/*/")
    run = prompt_set.sampling_runs.get()
    assert [(arm.label, arm.num_completions, arm.system_prompt) for arm in run.arms.all()] == [
        ("Base", 4, ""),
        ("Brief", 1, "Be brief."),
    ]
    assert desk.complaints == []
