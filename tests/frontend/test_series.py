"""Metric rows as curves."""

from datetime import timedelta

from frontend.series import curves_since
from tests.factory import STARTED_AT, Factory
from training.models import Metric


def test_step_and_evaluation_rows_are_separate_curves(factory: Factory) -> None:
    run = factory.training_run(num_steps=3)

    data = curves_since(run, None)

    assert data["step"]["accuracy"] == [(1, 0.5), (2, 0.75), (3, 1 - 0.5 / 3)]
    assert data["evaluation"] == {"held_out_accuracy": [(3, 0.75)]}
    assert data["has_ended"] is True


def test_only_newer_rows_come_back_the_second_time(factory: Factory) -> None:
    run = factory.training_run(num_steps=3, status="running")
    since = STARTED_AT + timedelta(seconds=3)

    assert curves_since(run, None)["latest"] == since.isoformat()
    assert curves_since(run, since)["step"]["loss"] == [(3, 1 / 3)]


def test_steps_that_a_resumed_run_repeats_come_again(factory: Factory) -> None:
    run = factory.training_run(num_steps=3, status="running")
    again = STARTED_AT + timedelta(seconds=60)
    Metric.objects.filter(run=run, kind="step", step=2).update(values={"loss": 9.0}, recorded_at=again)

    data = curves_since(run, STARTED_AT + timedelta(seconds=30))

    assert data["step"] == {"loss": [(2, 9.0)]}


def test_values_that_are_no_numbers_are_left_out(factory: Factory) -> None:
    run = factory.training_run(num_steps=0)
    values = {"loss": 1, "note": "warm-up", "is_clipped": True, "kl": None}
    Metric.objects.create(run=run, kind="step", step=1, values=values, recorded_at=STARTED_AT)

    assert curves_since(run, None)["step"] == {"loss": [(1, 1.0)]}


def test_without_news_the_time_to_ask_from_stays(factory: Factory) -> None:
    run = factory.training_run(num_steps=0, status="queued")

    assert curves_since(run, None)["latest"] is None
    assert curves_since(run, STARTED_AT)["latest"] == STARTED_AT.isoformat()
