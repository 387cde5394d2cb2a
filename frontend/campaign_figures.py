"""The numbers behind a campaign's figures, as JSON for dashboard.js. Undefined ones are null, with a reason beside."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from annotation.campaign_report import Dashboard, Matrix, Window
from annotation.models import Annotator
from annotation.progress_report import Throughput
from annotation.quality import PUBLISHED, Share
from annotation.quality.ceilings import PublishedFigure

MIN_SPAN = 60.0  # seconds: what came faster is drawn by its order instead of its time
IMPORTED_FROM = " · "  # between the import and the annotator's name there
KIND_NAMES = dict(Annotator.Kind.choices)


def figures_of(found: Dashboard, past: Throughput, names: dict[int, str]) -> dict[str, Any]:
    """Everything that is drawn; `names` are the annotators'."""
    return {
        "throughput": _throughput(past),
        "agreement": _agreement(found),
        "matrix": _named(found.matrix, names),
        "kappa": _named(found.kappa_matrix, names),
        "confusion": {
            "names": found.confusion.names,
            "cells": found.confusion.cells,
            "counts": found.confusion.counts,
        },
    }


def _throughput(past: Throughput) -> dict[str, Any]:
    return {
        "unit": past.unit,
        "starts": [start.isoformat() for start in past.starts],
        "counts": {str(KIND_NAMES.get(kind, kind)): counts for kind, counts in past.counts.items()},
    }


def _agreement(found: Dashboard) -> dict[str, Any]:
    windows = found.windows
    spans_time = bool(windows) and windows[-1].last_at - windows[0].first_at >= MIN_SPAN
    return {
        "is_by_time": spans_time,
        "points": [_point(window, number, spans_time) for number, window in enumerate(windows, start=1)],
        "lines": [_line(figure) for figure in shown_ceilings(found)],
        "longer": _share(found.longer.agrees) if found.longer else None,
    }


def shown_ceilings(found: Dashboard) -> list[PublishedFigure]:
    """Published raw agreement that may be held beside the campaign's: with ties only if it has ties."""
    has_ties = found.num_ties > 0
    raw = [figure for figure in PUBLISHED if figure.measure == "raw agreement" and figure.who == "people"]
    return [figure for figure in raw if figure.has_ties == has_ties] or raw


def _point(window: Window, number: int, spans_time: bool) -> dict[str, Any]:
    estimate = window.estimate
    return {
        "x": datetime.fromtimestamp(window.last_at, UTC).isoformat() if spans_time else number,
        "value": estimate.value,
        "interval": estimate.interval,
        "n": estimate.n,
    }


def _line(figure: PublishedFigure) -> dict[str, Any]:
    return {"name": figure.name, "low": figure.low, "high": figure.high, "what": figure.what, "source": figure.source}


def _share(share: Share) -> dict[str, Any]:
    return {"value": share.value, "interval": share.interval, "n": share.n, "reason": share.reason}


def _named(matrix: Matrix, names: dict[int, str]) -> dict[str, Any]:
    known = [names.get(int(pk), f"annotator {pk}") for pk in matrix.names]
    return {"names": known, "labels": _labels(known), "cells": matrix.cells, "counts": matrix.counts}


def _labels(names: list[str]) -> list[str]:
    """Names without the first part that most share, as imported ones do: "votes · 09c3" becomes "09c3"."""
    firsts = [name.partition(IMPORTED_FROM)[0] for name in names if IMPORTED_FROM in name]
    shared = max(set(firsts), key=firsts.count, default="")
    if firsts.count(shared) < 2:
        return names
    return [name.removeprefix(f"{shared}{IMPORTED_FROM}") for name in names]
