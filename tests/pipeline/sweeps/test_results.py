"""What a sweep has found."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models import TrainingSweep
from pipeline.sweeps import results
from tests.factory import Factory
from tests.factory.columns import STARTED_AT
from training.models import Metric


def found(sweep: TrainingSweep, *figures: dict[str, Any], step: int = 9) -> None:
    """One evaluation of each run, in their order."""
    for swept, values in zip(sweep.swept_runs.order_by("number"), figures, strict=True):
        Metric.objects.create(run=swept.run, kind="evaluation", step=step, values=values, recorded_at=STARTED_AT)


def test_the_last_evaluation_of_each_run_counts(factory: Factory) -> None:
    sweep = factory.sweep()  # with .75 at step 5
    found(sweep, {"held_out_accuracy": 0.6, "held_out_loss": 0.5}, {"held_out_accuracy": 0.7})
    first, second = results.outcomes_of(sweep)
    assert (first.step, first.figures) == (9, {"held_out_accuracy": 0.6, "held_out_loss": 0.5})
    assert results.metric_names([first, second]) == ["held_out_accuracy", "held_out_loss"]
    assert [point.is_best for point in results.points_by([first, second], "held_out_accuracy")] == [False, True]


def test_runs_without_an_evaluation_have_no_figures(factory: Factory) -> None:
    sweep = factory.sweep(status="queued")
    outcomes = results.outcomes_of(sweep)
    assert [(outcome.step, outcome.figures) for outcome in outcomes] == [(None, {}), (None, {})]
    assert [point.mean for point in results.points_by(outcomes, "held_out_accuracy")] == [None, None]


def test_what_is_not_a_finite_number_is_left_out(factory: Factory) -> None:
    sweep = factory.sweep()
    found(sweep, {"held_out_loss": "NaN", "held_out_accuracy": True}, {"held_out_loss": None})
    assert [outcome.figures for outcome in results.outcomes_of(sweep)] == [{}, {}]


def test_seeds_of_a_point_are_averaged(factory: Factory) -> None:
    sweep = factory.sweep(num_seeds=2)
    found(sweep, *({"held_out_accuracy": value} for value in (0.5, 0.7, 0.55, 0.6)))
    first, second = results.points_by(results.outcomes_of(sweep), "held_out_accuracy")
    assert [first.mean, second.mean] == pytest.approx([0.6, 0.575])
    assert (first.low, first.high, first.is_best, second.is_best) == (0.5, 0.7, True, False)


def test_of_a_loss_the_lowest_is_best(factory: Factory) -> None:
    sweep = factory.sweep()
    found(sweep, {"held_out_loss": 0.4}, {"held_out_loss": 0.3})
    points = results.points_by(results.outcomes_of(sweep), "held_out_loss")
    assert [point.is_best for point in points] == [False, True]
    assert not results.is_lower_better("held_out_accuracy")


def test_none_is_best_among_equals(factory: Factory) -> None:
    points = results.points_by(results.outcomes_of(factory.sweep()), "held_out_accuracy")
    assert [(point.mean, point.is_best) for point in points] == [(0.75, False), (0.75, False)]


def test_a_single_result_is_not_yet_the_best(factory: Factory) -> None:
    sweep = factory.sweep(status="queued")
    run = sweep.swept_runs.order_by("number")[0].run
    Metric.objects.create(run=run, kind="evaluation", step=1, values={"held_out_loss": 1.0}, recorded_at=STARTED_AT)
    assert not any(point.is_best for point in results.points_by(results.outcomes_of(sweep), "held_out_loss"))
