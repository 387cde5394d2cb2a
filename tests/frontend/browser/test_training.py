"""Starting, watching and comparing training runs in a real browser."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.factory import STARTED_AT, Factory
from tests.frontend.browser.conftest import Desk
from training.models import Metric, TrainingRun

pytestmark = pytest.mark.browser


def rough_curve(run: TrainingRun, num_steps: int = 80) -> None:
    """Steps whose loss zigzags."""
    Metric.objects.bulk_create(
        Metric(
            run=run,
            kind=Metric.Kind.STEP,
            step=step,
            values={"loss": 1 / step + 0.2 * math.sin(5 * step), "chosen_logps": -50.0 - step, "rejected_logps": -60.0},
            recorded_at=STARTED_AT + timedelta(seconds=step),
        )
        for step in range(1, num_steps + 1)
    )


def test_another_algorithm_keeps_what_was_chosen_and_the_panel_follows(factory: Factory, desk: Desk) -> None:
    dataset, model = factory.dataset("Pairs"), factory.model("Base")
    page = desk.page
    desk.sign_in(factory.dana())
    desk.open("/training/new/?algorithm=dpo")

    page.get_by_label("Name").fill("Mine")
    page.get_by_label("Dataset").select_option(str(dataset.pk))
    page.get_by_label("Starts from").select_option(str(model.pk))
    expect(page.locator("#training-preview")).to_contain_text("A worker is reading the data")
    page.get_by_role("link", name="SimPO", exact=True).click()

    expect(page.locator("input[name=algorithm]")).to_have_value("simpo")
    expect(page.get_by_label("Name")).to_have_value("Mine")
    expect(page.get_by_label("Dataset")).to_have_value(str(dataset.pk))
    page.get_by_role("button", name="Start training").click()
    expect(page.locator("h1")).to_have_text("Mine")
    assert desk.complaints == []


def test_rough_curves_have_bands_that_can_be_left_out(factory: Factory, desk: Desk) -> None:
    run = factory.training_run(num_steps=0)
    rough_curve(run)
    page = desk.page
    desk.sign_in(factory.alice())
    desk.open(f"/training/{run.pk}/")

    loss = page.locator('.curve[data-name="loss"] .scatterlayer .trace')
    expect(loss).to_have_count(3)  # two edges of the band, and the mean
    page.get_by_label("Bands of one deviation").uncheck()
    expect(loss).to_have_count(2)  # the points, and the mean
    expect(page.locator('.curve[data-name="chosen_logps rejected_logps"] .scatterlayer .trace')).to_have_count(2)
    about = page.locator('[data-group="Log-probabilities"] details')
    about.locator("summary").click()
    expect(about).to_contain_text("probability moves to replies that stand in neither column")
    assert desk.complaints == []


def test_two_runs_are_drawn_over_one_another(factory: Factory, desk: Desk) -> None:
    runs: list[Any] = [factory.training_run("One"), factory.training_run("Two")]
    page = desk.page
    desk.sign_in(factory.alice())
    desk.open("/training/")

    for run in runs:
        page.get_by_label(f"Compare {run.name}").check()
    page.get_by_role("button", name="Compare the chosen ones").click()

    expect(page.locator('.curve[data-name="loss"] .scatterlayer .trace')).to_have_count(2)
    expect(page.locator('.curve[data-name="accuracy"] .scatterlayer .trace')).to_have_count(4)  # held-out ones too
    assert desk.complaints == []


def test_a_run_that_is_compared_while_it_goes_on_is_drawn_on(factory: Factory, desk: Desk) -> None:
    runs = [factory.training_run("One"), factory.training_run("Two", status="running", num_steps=3)]
    desk.sign_in(factory.alice())
    desk.open(f"/training/compare/?run={runs[0].pk}&run={runs[1].pk}")
    kl = desk.page.locator('.curve[data-name="kl"]')
    expect(desk.page.locator('.curve[data-name="loss"] .scatterlayer .trace')).to_have_count(2)
    expect(kl).to_have_count(0)

    runs[1].metrics.filter(kind="step").update(values={"loss": 1.0, "kl": 0.5})

    expect(kl).to_have_count(1, timeout=15_000)
    assert desk.complaints == []
