"""Metric rows as curves: name → points, for the plots of a training run."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from training.models import Metric, TrainingRun

Curves = dict[str, list[tuple[int, float]]]  # name → (step, value), by step


def curves_since(run: TrainingRun, since: datetime | None) -> dict[str, Any]:
    """The points recorded at or after `since` (all, if None), and what to ask for next time.

    A resumed run rewrites the steps after its checkpoint; they come again with a newer time and replace the old.
    """
    rows = run.metrics.order_by("kind", "step")
    if since is not None:
        rows = rows.filter(recorded_at__gte=since)
    metrics = list(rows)
    latest = max((metric.recorded_at for metric in metrics), default=since)
    return {
        "step": curves(metric for metric in metrics if metric.kind == Metric.Kind.STEP),
        "evaluation": curves(metric for metric in metrics if metric.kind == Metric.Kind.EVALUATION),
        "latest": latest.isoformat() if latest else None,
        "has_ended": run.has_ended,
    }


def curves(metrics: Iterable[Metric]) -> Curves:
    """One curve a key of the rows' values; what is not a number is left out."""
    result: Curves = {}
    for metric in metrics:
        for name, value in metric.values.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                result.setdefault(name, []).append((metric.step, float(value)))
    return result
