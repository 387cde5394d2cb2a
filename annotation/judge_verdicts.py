"""Stored verdicts as what the pure functions of `annotation.judging` take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from annotation.judging import Judged, OrderAnswer, Probabilities

_COUNTS = ("num_pairs", "num_disagreeing", "num_reversed", "num_calls", "num_unparsed", "num_refused", "num_truncated")


def restored(details: Mapping[str, Any]) -> Judged:
    """The judgment that `Judged.to_json` wrote."""
    probabilities, scores = details.get("probabilities"), details.get("scores")
    return Judged(
        answer=details.get("answer"),
        reason=details.get("reason", ""),
        tiers=details.get("tiers"),
        probabilities=Probabilities(**probabilities) if probabilities else None,
        scores=tuple(scores) if scores else None,
        margin=details.get("margin"),
        by_order=tuple(
            OrderAnswer(display_order=tuple(one["display_order"]), answer=one["answer"], tiers=one["tiers"])
            for one in details.get("by_order", [])
        ),
        **{name: details.get(name, 0) for name in _COUNTS},
    )
