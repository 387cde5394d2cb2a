"""Numbers for people: percentages, durations, an interval drawn as a bar."""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import template

from evaluation.models import EvaluationResult

register = template.Library()

BAR_WIDTH = 160  # in SVG units; the bar spans 0 to 1
AGAINST_CHANCE = {"win_rate", "accuracy", "first_place_rate", "longer_preferred"}  # shares for which a half is chance
SHARES = AGAINST_CHANCE | {"flip_rate", "no_verdict_rate"}  # metrics between 0 and 1
HEADLINES = {"win_rate", "accuracy", "margin"}  # what lists of evaluations show


@register.filter
def percent(value: float | None, digits: int = 1) -> str:
    """0.613 as "61.3 %"; what is undefined as a dash."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value * 100:.{digits}f} %"


@register.filter
def signed_points(value: float | None) -> str:
    """-0.117 as "−11.7"; what is undefined as a dash."""
    return "–" if value is None or math.isnan(value) else f"{value * 100:+.1f}".replace("-", "−")


@register.filter
def decimal(value: float | None, digits: int = 3) -> str:
    """0.7312 as "0.731"; what is undefined as a dash."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


@register.filter
def grouped(value: int) -> str:
    """12345 as "12,345"."""
    return f"{value:,}"


@register.filter
def size(num_bytes: float | None) -> str:
    """1536 as "2 KiB", 5e9 as "4.7 GiB"; what is not known as a dash."""
    if num_bytes is None:
        return "–"
    if num_bytes < 1024**2:
        return f"{num_bytes / 1024:,.0f} KiB"
    return f"{num_bytes / 1024**2:,.0f} MiB" if num_bytes < 1024**3 else f"{num_bytes / 1024**3:,.1f} GiB"


@register.filter
def magnitude(value: float | None) -> str:
    """2164416 as "2.2 million", 8.2e12 as "8.2 trillion"; what is not known as a dash."""
    if value is None:
        return "–"
    for name, factor in (("trillion", 1e12), ("billion", 1e9), ("million", 1e6)):
        if value >= factor:
            return f"{value / factor:,.1f} {name}"
    return f"{value:,.0f}"


@register.filter
def duration(seconds: float | None) -> str:
    """8.4 as "8.4 s", 125 as "2 min 05 s", 11520 as "3 h 12 min"."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


@register.filter
def milliseconds(value: float | None) -> str:
    """38.2 as "38 ms", 2345 as "2.3 s"."""
    if value is None:
        return "–"
    return f"{value:.0f} ms" if value < 1000 else duration(value / 1000)


@register.filter
def elapsed(start: datetime, end: datetime) -> str:
    """The time between two moments, as `duration` writes it."""
    return duration((end - start).total_seconds())


@register.filter
def share(part: int, whole: int) -> str:
    """3 of 8 as "38 %"; nothing of nothing as a dash."""
    return f"{100 * part / whole:.0f} %" if whole else "–"


@register.inclusion_tag("frontend/interval_bar.html")
def interval_bar(value: float, low: float, high: float, middle: float = 0.5) -> dict[str, Any]:
    """A 95 % interval between 0 and 1 as a small bar, with a mark at `middle` (chance)."""
    left, right = (BAR_WIDTH * min(1.0, max(0.0, end)) for end in (low, high))
    side = "above" if low > middle else "below" if high < middle else "around"
    return {
        "width": BAR_WIDTH,
        "left": round(left, 2),
        "length": round(max(2.0, right - left), 2),
        "point": round(BAR_WIDTH * value, 2),
        "middle": round(BAR_WIDTH * middle, 2),
        "side": side,
        "label": f"{percent(value)}, from {percent(low)} to {percent(high)}: {side} {percent(middle, 0)}",
    }


@register.filter
def is_share(result: EvaluationResult) -> bool:
    """Whether a result is a share of 1, to be shown in percent; margins are not."""
    return result.metric in SHARES


@register.filter
def has_chance(result: EvaluationResult) -> bool:
    """Whether a half is what chance would give, so that a bar with a mark there means something."""
    return result.metric in AGAINST_CHANCE


@register.filter
def headlines(results: Iterable[EvaluationResult]) -> list[EvaluationResult]:
    """The results that lists show; the others stand on the evaluation's own page."""
    return [result for result in results if result.metric in HEADLINES]
