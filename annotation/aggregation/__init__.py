"""From several judgments of a comparison to one answer: pure functions over columns.

    aggregation = aggregate("bradley_terry", judgments, {"prior_sd": 2.0})
    aggregation.consensus[comparison].tiers

Every method takes `Judgments` and parameters of its own by keyword, and returns an `Aggregation`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from annotation.aggregation.consensus import Aggregation, Consensus
from annotation.aggregation.dawid_skene import dawid_skene
from annotation.aggregation.judgments import Judgments
from annotation.aggregation.majority import majority
from annotation.aggregation.utility_methods import annotator_skill, bradley_terry, davidson, plackett_luce

Method = Callable[..., Aggregation]

METHODS: Final[dict[str, Method]] = {
    "majority": majority,
    "dawid_skene": dawid_skene,
    "bradley_terry": bradley_terry,
    "davidson": davidson,
    "annotator_skill": annotator_skill,
    "plackett_luce": plackett_luce,
}

CHOICES: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "majority": {"even": ("tie", "undecided", "random"), "tie_votes": ("answer", "half")}
}

__all__ = ["CHOICES", "METHODS", "Aggregation", "AggregationRefused", "Consensus", "Judgments", "aggregate", "defaults"]


class AggregationRefused(ValueError):
    """There is no such method, or it has no such parameter, or the parameter's value makes no sense."""


def aggregate(method: str, judgments: Judgments, parameters: Mapping[str, Any] | None = None) -> Aggregation:
    """The consensus of each comparison by the method with that name. Raises AggregationRefused."""
    checked = check_parameters(method, parameters or {})
    return METHODS[method](judgments, **checked)


def defaults(method: str) -> dict[str, Any]:
    """A method's parameters with their default values. Raises AggregationRefused for an unknown method."""
    if method not in METHODS:
        raise AggregationRefused(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    signature = inspect.signature(METHODS[method]).parameters.values()
    return {parameter.name: parameter.default for parameter in signature if parameter.kind is parameter.KEYWORD_ONLY}


def check_parameters(method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a method, with the given values. Raises AggregationRefused for one that it cannot use."""
    known = defaults(method)
    for name, value in parameters.items():
        if name not in known:
            raise AggregationRefused(f"{method} has no parameter {name!r}: it has {', '.join(known)}")
        choices = CHOICES.get(method, {}).get(name)
        if choices and value not in choices:
            raise AggregationRefused(f"{name} must be one of {', '.join(choices)}, got {value!r}")
        if not choices and not _is_usable(value, like=known[name]):
            raise AggregationRefused(f"{name} must be a number above 0 like {known[name]!r}, got {value!r}")
    return {**known, **parameters}


def _is_usable(value: object, *, like: int | float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(like, int) and not isinstance(value, int):
        return False
    return 0 < value < float("inf") or (value == like == 0) or (isinstance(like, int) and like == 0 and value > 0)
