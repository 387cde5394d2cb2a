"""The plot of a sweep: where its points lie."""

from __future__ import annotations

import pytest

from frontend.sweep_plot import BOTTOM, INSET, LEFT, RIGHT, TOP, nice_ticks, plot_of
from pipeline.models import SweptRun
from pipeline.sweeps.results import Outcome, PointResult


def point(mean: float | None, *others: float, **values: float) -> PointResult:
    found = [value for value in (mean, *others) if value is not None]
    outcomes = [
        Outcome(swept=SweptRun(run_id=number, values=values), figures={"held_out_loss": value}, step=1)
        for number, value in enumerate(found, start=1)
    ]
    return PointResult(
        values=dict(values),
        outcomes=outcomes,
        mean=sum(found) / len(found) if found else None,
        low=min(found, default=None),
        high=max(found, default=None),
    )


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0.0, 0.5, 1.0]),
        (0.61, 0.74, [0.6, 0.65, 0.7, 0.75]),
        (-3.0, 5.0, [-4.0, -2.0, 0.0, 2.0, 4.0, 6.0]),
        (1e-6, 5e-6, [1e-6, 2e-6, 3e-6, 4e-6, 5e-6]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(low: float, high: float, ticks: list[float]) -> None:
    assert nice_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize("value", [0.0, 0.75, -2.0, 1e-9])
def test_a_single_value_has_room_above_and_below(value: float) -> None:
    ticks = nice_ticks(value, value)
    assert ticks[0] < value < ticks[-1]


def test_without_a_figure_there_is_no_plot() -> None:
    assert plot_of([point(None, beta=0.1)], along="beta", metric="held_out_loss") is None


def test_values_far_apart_are_spaced_by_their_logarithm() -> None:
    points = [point(0.0, rate=1e-6), point(0.5, rate=1e-5), point(1.0, rate=1e-4)]
    plot = plot_of(points, along="rate", metric="held_out_loss")
    assert plot is not None
    assert plot.is_logarithmic
    (one,) = plot.series
    assert [dot.x for dot in one.dots] == [LEFT + INSET, (LEFT + RIGHT) / 2, RIGHT - INSET]
    assert [dot.y for dot in one.dots] == [BOTTOM, (TOP + BOTTOM) / 2, TOP]
    assert [tick.label for tick in plot.x_ticks] == ["1e-06", "1e-05", "0.0001"]


def test_values_near_each_other_or_at_zero_are_spaced_evenly() -> None:
    for low in (0.0, 1.0):
        plot = plot_of([point(0.1, x=low), point(0.2, x=low + 4)], along="x", metric="held_out_loss")
        assert plot is not None
        assert not plot.is_logarithmic


def test_the_other_settings_make_a_line_each_and_seeds_a_dot_each() -> None:
    points = [point(0.2, 0.4, beta=beta, rate=rate) for beta in (2.0, 1.0) for rate in (0.1, 0.2)]
    plot = plot_of(points, along="beta", metric="held_out_loss")
    assert plot is not None
    assert [(one.name, len(one.dots), one.colour) for one in plot.series] == [("rate 0.1", 4, 0), ("rate 0.2", 4, 1)]
    left_to_right = [float(pair.split(",")[0]) for pair in plot.series[0].line.split()]
    assert left_to_right == sorted(left_to_right)
    assert plot.series[0].dots[0].label == "beta 1, rate 0.1: 0.2"


def test_a_point_that_is_not_measured_yet_leaves_the_others() -> None:
    plot = plot_of([point(0.3, beta=0.1), point(None, beta=0.2)], along="beta", metric="held_out_loss")
    assert plot is not None
    assert [len(one.dots) for one in plot.series] == [1]
