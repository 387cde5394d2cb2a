"""What a sweep has found so far: the last held-out figures of each run, and the points by one of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.models import SweptRun, TrainingSweep
from pipeline.sweeps.grid import Number
from training.models import Metric

HELD_OUT = "held_out_"
FIRST = ("held_out_accuracy", "held_out_score", "held_out_loss")  # what is looked at unless somebody chooses
LOWER_IS_BETTER = ("loss", "kl", "variance", "error")  # words in names of metrics


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One run and the figures of its last evaluation; none before the first."""

    swept: SweptRun
    figures: dict[str, float]
    step: int | None


@dataclass(frozen=True, kw_only=True)
class PointResult:
    """The runs of one point, and one of their figures."""

    values: dict[str, Number]
    outcomes: list[Outcome]
    mean: float | None  # over the runs that have the figure
    low: float | None  # of them
    high: float | None
    is_best: bool = False


def outcomes_of(sweep: TrainingSweep) -> list[Outcome]:
    """Every run in the order of the grid."""
    last = Metric.objects.filter(run__swept__sweep=sweep, kind=Metric.Kind.EVALUATION)
    rows = {row.run_id: row for row in last.order_by("run_id", "-step").distinct("run_id")}
    swept = sweep.swept_runs.select_related("run").order_by("number")
    return [_outcome(one, rows.get(one.run_id)) for one in swept]


def metric_names(outcomes: Iterable[Outcome]) -> list[str]:
    """The figures that any run has, those that are looked at first first."""
    names = {name for outcome in outcomes for name in outcome.figures}
    return sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def points_by(outcomes: Sequence[Outcome], metric: str) -> list[PointResult]:
    """The runs grouped by their point, in the order of the grid; the best is marked once two of them differ."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(repr(outcome.swept.values), []).append(outcome)
    points = [_point(group, metric) for group in groups.values()]
    means = [point.mean for point in points if point.mean is not None]
    best = (min if is_lower_better(metric) else max)(means) if len(set(means)) > 1 else None
    return [_marked(point, best) for point in points]


def is_lower_better(metric: str) -> bool:
    return any(word in metric.split("_") for word in LOWER_IS_BETTER)


def _outcome(swept: SweptRun, row: Metric | None) -> Outcome:
    values = row.values if row is not None else {}
    figures = {name: float(value) for name, value in values.items() if _is_figure(value)}
    return Outcome(swept=swept, figures=figures, step=row.step if row is not None else None)


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _point(group: list[Outcome], metric: str) -> PointResult:
    found = [outcome.figures[metric] for outcome in group if metric in outcome.figures]
    return PointResult(
        values=group[0].swept.values,
        outcomes=group,
        mean=math.fsum(found) / len(found) if found else None,
        low=min(found, default=None),
        high=max(found, default=None),
    )


def _marked(point: PointResult, best: float | None) -> PointResult:
    is_best = best is not None and point.mean == best
    return PointResult(
        values=point.values, outcomes=point.outcomes, mean=point.mean, low=point.low, high=point.high, is_best=is_best
    )
