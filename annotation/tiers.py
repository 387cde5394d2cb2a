"""Tiers: a weak ordering of the completions' indices, best first, and what it says about every two of them.

`[[2], [0, 1], [3]]` puts completion 2 first, 0 and 1 level, 3 last; a pairwise tie is `[[0, 1]]`. Inside a tier the
indices rise. Completions that stand in no tier are unranked: either worse than each ranked one without an order among
themselves (outside a top k), or nothing is said about them (the tray).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

Tiers = list[list[int]]


class AnswerRefused(ValueError):
    """An answer breaks a rule: `rule` is its short name, for programs; the message explains it to people."""

    def __init__(self, rule: str, message: str) -> None:
        self.rule = rule
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class OrderedPairs:
    """What an answer says about every two completions; pairs of which nothing is said are in neither list."""

    preferences: list[tuple[int, int]]  # (winner, loser)
    ties: list[tuple[int, int]]  # (lower index, higher index)


def ordered_pairs(tiers: Sequence[Sequence[int]], *, worse: Sequence[int] = ()) -> OrderedPairs:
    """Every two completions as (winner, loser) or as a tie; each one of `worse` loses to each in a tier."""
    preferences = [
        (winner, loser)
        for place, tier in enumerate(tiers)
        for winner in tier
        for lower in [*tiers[place + 1 :], worse]
        for loser in lower
    ]
    ties = [(first, second) for tier in tiers for first in tier for second in tier if first < second]
    return OrderedPairs(preferences=preferences, ties=ties)


def pairs_of(answer: Mapping[str, Any]) -> OrderedPairs:
    """What a stored answer (`Judgment.answer`) says about every two completions; nothing if it gives no order."""
    worse = answer.get("unranked", ()) if answer.get("unranked_is_worse") else ()
    return ordered_pairs(answer.get("tiers") or [], worse=worse)


def parse_tiers(raw: object, *, num_completions: int) -> Tiers:
    """Tiers in canonical form: each index of 0 … num_completions-1 once, no empty tier. Raises AnswerRefused."""
    tiers = read_tiers(raw)
    check_all_once(tiers, [], num_completions, raw)
    return tiers


def read_tiers(raw: object) -> Tiers:
    """Tiers in canonical form, whichever completions they name. Raises AnswerRefused."""
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not all(map(is_index_list, raw)):
        raise AnswerRefused(
            "tiers_malformed", f"tiers must be lists of completion indices, such as [[1], [0]], got {raw!r}"
        )
    if not all(raw):
        raise AnswerRefused("empty_tier", f"a tier names at least one completion, got {raw!r}")
    return [sorted(tier) for tier in raw]


def check_all_once(tiers: Tiers, unranked: Sequence[int], num_completions: int, raw: object) -> None:
    """Raises AnswerRefused unless the tiers and the tray name each completion once."""
    if sorted([index for tier in tiers for index in tier] + list(unranked)) != list(range(num_completions)):
        raise AnswerRefused(
            "not_all_once", f"tiers must name each of the completions 0–{num_completions - 1} exactly once, got {raw!r}"
        )


def check_display_order(display_order: Sequence[int]) -> None:
    """Raises AnswerRefused unless `display_order` is a permutation of 0 … n-1."""
    if sorted(display_order) != list(range(len(display_order))):
        raise AnswerRefused("display_order", f"a display order names each place once, got {list(display_order)}")


def is_index_list(value: object) -> TypeGuard[Sequence[int]]:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(map(is_index, value))


def is_index(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
