"""A held-out figure against one swept setting, as the coordinates of an SVG. Numbers in, numbers out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.sweeps.grid import in_words
from pipeline.sweeps.results import PointResult

WIDTH, HEIGHT = 760, 280  # of the viewBox
LEFT, RIGHT, TOP, BOTTOM = 64, 744, 14, 238  # of the area in which points lie
INSET = 18  # between the area's edges and the outermost points
NUM_COLOURS = 6  # classes series-0 … series-5; further series begin again
LOG_FROM = 5.0  # a setting whose values span more than this factor is spaced by its logarithm
NUM_TICKS = 4  # steps of the vertical axis, about
MAX_LABELS = 12  # values named under the horizontal axis


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One run."""

    x: float
    y: float
    run: int
    label: str


@dataclass(frozen=True, kw_only=True)
class Series:
    """The runs that agree in all settings but the one along the axis; the line goes through the means of points."""

    name: str
    colour: int
    line: str  # "x,y x,y"
    dots: list[Dot]


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A value named beside an axis."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Everything that the template draws."""

    series: list[Series]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    is_logarithmic: bool
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


@dataclass(frozen=True, kw_only=True)
class Axis:
    """From values to coordinates."""

    low: float
    high: float
    start: float
    end: float
    is_logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = (math.log(n) if self.is_logarithmic else n for n in (self.low, self.high, value))
        share = (at - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 1)


def plot_of(points: Sequence[PointResult], *, along: str, metric: str) -> Plot | None:
    """None as long as no run has the figure."""
    known = [point for point in points if point.mean is not None]
    if not known:
        return None
    values = sorted({point.values[along] for point in known})
    x = _across(values)
    found = [outcome.figures[metric] for point in known for outcome in point.outcomes if metric in outcome.figures]
    y_ticks = nice_ticks(min(found), max(found))
    y = Axis(low=y_ticks[0], high=y_ticks[-1], start=BOTTOM, end=TOP)
    step = math.ceil(len(values) / MAX_LABELS)
    return Plot(
        series=_series(known, along=along, metric=metric, x=x, y=y),
        x_ticks=[Tick(at=x(value), label=f"{value:g}") for value in values[::step]],
        y_ticks=[Tick(at=y(value), label=f"{value:g}".replace("-", "−")) for value in y_ticks],
        is_logarithmic=x.is_logarithmic,
    )


def nice_ticks(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten that enclose both; around a single value, some room."""
    if high - low < 1e-12 * max(1.0, abs(low), abs(high)):
        room = abs(low) * 0.05 or 0.05
        low, high = low - room, high + room
    raw = (high - low) / NUM_TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def _across(values: Sequence[float]) -> Axis:
    is_logarithmic = values[0] > 0 and values[-1] > LOG_FROM * values[0]
    return Axis(low=values[0], high=values[-1], start=LEFT + INSET, end=RIGHT - INSET, is_logarithmic=is_logarithmic)


def _series(points: Sequence[PointResult], *, along: str, metric: str, x: Axis, y: Axis) -> list[Series]:
    groups: dict[str, list[PointResult]] = {}
    for point in points:
        others = {name: value for name, value in sorted(point.values.items()) if name != along}
        groups.setdefault(in_words(others), []).append(point)
    return [
        _one_series(name, number, group, along=along, metric=metric, x=x, y=y)
        for number, (name, group) in enumerate(groups.items())
    ]


def _one_series(
    name: str, number: int, points: list[PointResult], *, along: str, metric: str, x: Axis, y: Axis
) -> Series:
    ordered = sorted(points, key=lambda point: point.values[along])
    means = [(x(point.values[along]), y(point.mean)) for point in ordered if point.mean is not None]
    dots = [
        Dot(
            x=x(point.values[along]),
            y=y(outcome.figures[metric]),
            run=outcome.swept.run_id,
            label=f"{in_words(point.values)}: {outcome.figures[metric]:.4g}",
        )
        for point in ordered
        for outcome in point.outcomes
        if metric in outcome.figures
    ]
    line = " ".join(f"{at_x},{at_y}" for at_x, at_y in means)
    return Series(name=name, colour=number % NUM_COLOURS, line=line, dots=dots)
