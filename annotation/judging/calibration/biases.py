"""What a judge follows besides quality: the place, the length, lists, replies of its own family.

Shapes: J judgments, K completions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.agreement import Agreement, coded
from annotation.agreement.columns import Column, Floats, Integers
from annotation.agreement.intervals import NUM_RESAMPLES, estimate, ratio
from annotation.judging.calibration.clusters import clustered_rows, clustered_share
from annotation.quality import Share, share
from annotation.tiers import Tiers

_ONE_ORDER = "no comparison was judged in two orders"
_NOT_STRICT = "no comparison got a strict preference in both orders"
_NOT_REVERSED = "no preference was reversed"
_NO_PREFERENCE = "no strict preference was given"
_NO_TRAIT = "no strict preference was between replies of which one has more of it"
_NOT_BOTH = "no comparison with it got strict preferences of both the judge and people"
_LIST_ITEM = re.compile(r"^\s{0,8}(?:[-*+•]|\d{1,3}[.)])\s+\S", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class FlipRates:
    """What changed when the replies were shown in the other order."""

    disagreeing: Share  # anything at all, a tie against a preference included
    reversed: Share  # the opposite side, of those strict both times
    first_place_twice: Share  # of the reversed: whatever was shown first was preferred both times


@dataclass(frozen=True, kw_only=True)
class TraitPreference:
    """How often the reply with more of something is preferred: by the judge, and by people on the same comparisons."""

    judge: Share  # of all its strict preferences between replies that differ in it
    people: Share  # of theirs, on the same comparisons
    difference: Agreement  # judge minus people, paired by comparison
    agrees_if_people_do: Share  # the judge with people where these prefer the reply with more
    agrees_if_people_do_not: Share  # and where they prefer the one with less: the gap is the bias at equal quality


@dataclass(frozen=True, kw_only=True)
class PlaceBias:
    """Where the best reply of a list stood."""

    first_rank: tuple[Share, ...]  # K, how often the reply at each place came first; shared ones in part
    mean_rank: tuple[float, ...]  # K, of the reply shown at each place, from 0 (best) to K - 1
    expected: float  # 1 / K without a bias
    n: int


def flip_rates(
    first_values: Column, second_values: Column, first_was_left: Column, *, prompts: Column | None = None
) -> FlipRates:
    """From canonical values in one order and in the swapped one; NaN where an order has no verdict.

    `first_was_left` is True where the completion with the lower index was shown first (left) in the first order.
    Intervals are over `prompts`, if the prompt of each row is given.
    """
    one_J, two_J = np.asarray(first_values, dtype=np.float64), np.asarray(second_values, dtype=np.float64)
    is_both_J = ~np.isnan(one_J) & ~np.isnan(two_J)
    one_J, two_J = np.sign(one_J[is_both_J]), np.sign(two_J[is_both_J])
    left_J = np.asarray(first_was_left, dtype=bool)[is_both_J]
    is_strict_J = (one_J != 0) & (two_J != 0)
    is_reversed_J = is_strict_J & (one_J != two_J)
    took_first_J = is_reversed_J & ((one_J > 0) == left_J)
    groups_J = None if prompts is None else np.asarray(prompts)[is_both_J]

    def rate(counts_J: NDArray[np.bool_], among_J: NDArray[np.bool_], nothing: str) -> Share:
        groups = None if groups_J is None else groups_J[among_J]
        return clustered_share(counts_J[among_J], groups, nothing=nothing)

    return FlipRates(
        disagreeing=rate(one_J != two_J, np.ones(len(one_J), dtype=bool), _ONE_ORDER),
        reversed=rate(is_reversed_J, is_strict_J, _NOT_STRICT if len(one_J) else _ONE_ORDER),
        first_place_twice=rate(took_first_J, is_reversed_J, _NOT_REVERSED),
    )


def position_bias(values: Column, first_is_left: Column, *, prompts: Column | None = None) -> Share:
    """How often the strict preference is the reply shown first: a half without a bias, if sides are balanced.

    `values` are canonical, one for each displayed order; name the `prompts` (or comparisons) that several are about.
    """
    signs_J = np.sign(np.asarray(values, dtype=np.float64))
    left_J = np.asarray(first_is_left, dtype=bool)
    is_strict_J = (signs_J != 0) & ~np.isnan(signs_J)
    took_left_J = is_strict_J & ((signs_J > 0) == left_J)
    groups = None if prompts is None else np.asarray(prompts)[is_strict_J]
    return clustered_share(took_left_J[is_strict_J], groups, nothing=_NO_PREFERENCE)


def trait_preference(
    comparisons: Column,
    values: Column,
    *,
    judge_comparisons: Column,
    judge_values: Column,
    judge_trait: Column,
    prompts: Column | None = None,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> TraitPreference:
    """Length, lists or an own family: `judge_trait` is 1, -1 or 0 for each of the judge's rows.

    It is 1 where the completion with the lower index has more of it (is longer, has more list items, is of the judge's
    own family while the other is not), -1 where it has less. People's columns have a row for each of their judgments;
    `prompts` is the prompt of each of the judge's rows, and resampled as a whole.
    """
    trait_R = np.sign(np.asarray(judge_trait, dtype=np.float64))
    follows_R = _follows(np.sign(np.asarray(judge_values, dtype=np.float64)), trait_R)
    groups_R = np.arange(len(trait_R)) if prompts is None else coded(prompts)[1]
    is_own_R = ~np.isnan(follows_R)
    rows_J = _rows_of(np.asarray(judge_comparisons), np.asarray(comparisons))
    is_found_J = rows_J >= 0
    rows_J = rows_J[is_found_J]
    theirs_J = _follows(np.sign(np.asarray(values, dtype=np.float64))[is_found_J], trait_R[rows_J])
    is_told_J = ~np.isnan(theirs_J) & ~np.isnan(follows_R[rows_J])
    theirs_J, units_J = theirs_J[is_told_J], rows_J[is_told_J]
    judges_J, groups_J = follows_R[units_J], groups_R[units_J]
    return TraitPreference(
        judge=clustered_share(follows_R[is_own_R], groups_R[is_own_R], nothing=_NO_TRAIT),
        people=clustered_share(theirs_J, groups_J, nothing=_NOT_BOTH),
        difference=_difference(judges_J, theirs_J, groups_J, num_resamples, seed),
        agrees_if_people_do=clustered_share(judges_J[theirs_J == 1], groups_J[theirs_J == 1], nothing=_NOT_BOTH),
        agrees_if_people_do_not=clustered_share(
            1 - judges_J[theirs_J == 0], groups_J[theirs_J == 0], nothing=_NOT_BOTH
        ),
    )


def sign_of_own_family(first_families: Sequence[str], second_families: Sequence[str], own: str) -> Floats:
    """1 or -1 where the first or the second reply alone is of the judge's own family, 0 where both or none are."""
    first = np.array([family == own for family in first_families], dtype=np.float64)
    return first - np.array([family == own for family in second_families], dtype=np.float64)


def num_list_items(text: str) -> int:
    """How many lines begin as items of a list do."""
    return len(_LIST_ITEM.findall(text))


def place_bias(display_orders: Sequence[Sequence[int]], rankings: Sequence[Tiers]) -> PlaceBias | str:
    """Where the best reply stood, from rankings (one for each displayed order) of K replies each; else why not.

    Raises ValueError if the numbers of replies differ.
    """
    if not rankings:
        return "no list was ranked"
    size = len(display_orders[0])
    if len(display_orders) != len(rankings) or any(len(order) != size for order in display_orders):
        raise ValueError(f"one order of {size} replies for each of {len(rankings)} rankings")
    firsts_K, ranks_K = np.zeros(size), np.zeros(size)
    for order, tiers in zip(display_orders, rankings, strict=True):
        above = 0
        for tier in tiers:
            places = [order.index(index) for index in tier]
            ranks_K[places] += above + (len(tier) - 1) / 2
            firsts_K[places] += 1 / len(tier) if above == 0 else 0.0
            above += len(tier)
    n = len(rankings)
    return PlaceBias(
        first_rank=tuple(share(float(won), n, nothing="no list was ranked") for won in firsts_K),
        mean_rank=tuple(float(rank) / n for rank in ranks_K),
        expected=1 / size,
        n=n,
    )


def _rows_of(known: NDArray[Any], wanted: NDArray[Any]) -> Integers:
    """The row of each wanted comparison among the known ones, -1 where it is none of them."""
    if not len(known) or not len(wanted):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(known, kind="stable")
    rows = order[np.minimum(np.searchsorted(known[order], wanted), len(order) - 1)]
    return np.where(known[rows] == wanted, rows, -1)


def _follows(values: Floats, traits: Floats) -> Floats:
    """1 where the preference has more of the trait, 0 where it has less, NaN where one of them says nothing."""
    product = values * traits
    return np.where(product == 0, np.nan, (product + 1) / 2)


def _difference(judges_J: Floats, theirs_J: Floats, groups_J: Column, num_resamples: int, seed: int) -> Agreement:
    rows_JD = np.stack([judges_J, theirs_J, np.ones(len(theirs_J))], axis=1)

    def difference(sums_BD: Floats) -> Floats:
        return ratio(sums_BD[:, 0] - sums_BD[:, 1], sums_BD[:, 2])

    rows = clustered_rows(rows_JD, groups_J)
    found = estimate(difference, rows, n=rows.n, num_judgments=len(theirs_J), num_resamples=num_resamples, seed=seed)
    return found if found.n else Agreement(value=None, interval=None, n=0, num_judgments=0, reason=_NOT_BOTH)
