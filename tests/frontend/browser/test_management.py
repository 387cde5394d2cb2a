"""Pages that move by themselves, in a real browser."""

import pytest
from playwright.sync_api import expect

from annotation.models import Campaign
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk
from training.models import TrainingRun

pytestmark = pytest.mark.browser


def test_training_curves_appear_and_grow_while_the_run_goes_on(factory: Factory, desk: Desk) -> None:
    run = factory.training_run(status="running", num_steps=5)
    page = desk.page
    desk.sign_in(factory.alice())
    desk.open(f"/training/{run.pk}/")

    expect(page.locator('.curve[data-name="loss"] .scatterlayer path.js-line')).to_have_count(1)
    expect(page.locator('.curve[data-name="accuracy"] .scatterlayer .trace')).to_have_count(2)  # batches, held out
    factory.metrics(run, 4, first=6)
    expect(page.locator('.curve[data-name="loss"]')).to_have_attribute("aria-label", "loss: 9 points, 0.1111 at step 9")

    assert desk.complaints == []


def test_the_state_of_a_run_is_followed_to_its_end(factory: Factory, desk: Desk) -> None:
    run = factory.training_run(status="running", log_tail="step 5")
    desk.sign_in(factory.alice())
    desk.open(f"/training/{run.pk}/")

    TrainingRun.objects.filter(pk=run.pk).update(status="failed", error="Row 3 has no text.", log_tail="step 6")

    expect(desk.page.locator("#state")).to_contain_text("Row 3 has no text.")
    expect(desk.page.locator("#record")).to_contain_text("step 6")
    assert desk.page.locator("#state[hx-trigger]").count() == 0
    assert desk.complaints == []


def test_closing_a_campaign_asks_first(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=1)
    page = desk.page
    desk.sign_in(factory.alice())
    desk.open(f"/campaigns/{campaign.pk}/")

    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Close").click()
    assert Campaign.objects.get(pk=campaign.pk).status == "open"
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Close").click()

    expect(page.locator(".page-head .status")).to_have_text("Closed")
    assert desk.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_breaks_its_own_content_policy(factory: Factory, desk: Desk, scheme: str) -> None:
    factory.judged_campaign()
    firing = factory.firing()
    paths = [
        "/",
        f"/campaigns/{factory.judged_campaign().pk}/",
        f"/datasets/{factory.dataset().pk}/",
        f"/training/{factory.training_run().pk}/",
        f"/training/schedules/{firing.schedule_id}/",
        f"/training/schedules/{firing.schedule_id}/edit/",
        f"/training/schedules/firings/{firing.pk}/",
        "/training/sweeps/new/",
        f"/training/sweeps/{factory.sweep().pk}/",
        f"/evaluations/{factory.evaluation().pk}/",
        f"/sampling-runs/{factory.sampling_run().pk}/",
        f"/pipelines/{factory.pipeline().pk}/",
        "/tokens/",
    ]
    desk.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    desk.sign_in(factory.alice())

    for path in paths:
        desk.open(path)
        desk.page.wait_for_load_state("networkidle")
        assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path

    assert desk.complaints == []
