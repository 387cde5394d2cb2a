"""What judgments follow besides quality: the side that was shown left, and the longer reply.

Both count strict preferences only. Values are canonical (above 0: the completion with the lower index is better), so
that a bias shows only because the sides were drawn at random for each judgment. For rankings give one row for every
two completions, with the comparisons for the interval.

Shapes: J judgments (rows), U units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from annotation.agreement import Columns, count_columns
from annotation.agreement.columns import Column, Floats
from annotation.quality.shares import Share, share, shares_by

NO_PREFERENCE = "no strict preference was given"
NO_LONGER = "no strict preference between replies of different length was given"


@dataclass(frozen=True, kw_only=True)
class LongerWins:
    """What always choosing the longer reply would reach in a campaign, beside what one annotator reaches."""

    longer_wins: Share  # of the judgments with a strict preference between different lengths
    agrees: Share  # the longer one with the consensus, of all comparisons; a tied consensus is missed
    agrees_without_ties: Share  # of the comparisons whose consensus is a strict preference


def left_wins(
    annotators: Column, values: Column, first_is_left: Column, *, comparisons: Column | None = None
) -> dict[Any, Share]:
    """How often each annotator's preference is the reply shown left (or earlier): about a half without a bias.

    `first_is_left` is True where the completion with the lower index was shown left.
    """
    signs_J = np.sign(np.asarray(values, dtype=np.float64))
    sides_J = np.where(np.asarray(first_is_left, dtype=bool), 1.0, -1.0)
    return shares_by(annotators, _followed(signs_J, sides_J), comparisons=comparisons, nothing=NO_PREFERENCE)


def longer_wins(
    annotators: Column, values: Column, longer: Column, *, comparisons: Column | None = None
) -> dict[Any, Share]:
    """How often each annotator's preference is the longer reply; compare with the campaign's own rate.

    `longer` is 1, -1 or 0 where the completion with the lower index is longer, shorter or as long (`sign_of_longer`).
    People prefer the longer one in some 60 % of pairs, so that it is no fault by itself: far above the campaign it is.
    """
    signs_J = np.sign(np.asarray(values, dtype=np.float64))
    sides_J = np.asarray(longer, dtype=np.float64)
    return shares_by(annotators, _followed(signs_J, sides_J), comparisons=comparisons, nothing=NO_LONGER)


def sign_of_longer(first_lengths: Column, second_lengths: Column) -> Floats:
    """1, -1 or 0 where the first of two lengths (any one unit: characters, tokens) is larger, smaller or the same."""
    return np.sign(np.asarray(first_lengths, dtype=np.float64) - np.asarray(second_lengths, dtype=np.float64))


def longer_wins_baseline(columns: Columns, comparisons: Column, longer: Column) -> LongerWins:
    """The baseline "the longer one wins" of pairwise judgments: the number that every judge must beat.

    `comparisons` and `longer` are equally long columns with a row for each comparison; replies of the same length make
    the baseline say "tied". The consensus is the most frequent sign of the judgments; where signs are level, each is
    it with equal weight. Raises ValueError if columns have several units in a comparison or a comparison has no row.
    """
    if not columns.has_one_unit_each:
        raise ValueError("the baseline is one of pairwise comparisons: rankings have several units in one")
    longer_U = _aligned(columns, comparisons, longer)
    signs_V = np.sign(np.array([float(value) for value in columns.values]))
    counts_UV = count_columns(columns).counts_UV
    counts_US = np.stack([counts_UV[:, signs_V == sign].sum(axis=1) for sign in (-1, 0, 1)], axis=1)
    is_mode_US = counts_US == counts_US.max(axis=1, keepdims=True)
    consensus_US = is_mode_US / is_mode_US.sum(axis=1, keepdims=True)
    agrees_U = consensus_US[np.arange(len(longer_U)), longer_U + 1]
    is_strict_U = consensus_US[:, 1] == 0
    is_told_U = longer_U != 0
    won = int(counts_US[is_told_U, longer_U[is_told_U] + 1].sum())
    num_told = int(counts_US[is_told_U][:, [0, 2]].sum())
    return LongerWins(
        longer_wins=share(won, num_told, num_independent=_num_judged(counts_US[is_told_U]), nothing=NO_LONGER),
        agrees=share(float(agrees_U.sum()), len(agrees_U), nothing="nothing was judged"),
        agrees_without_ties=share(
            float(agrees_U[is_strict_U].sum()), int(is_strict_U.sum()), nothing="no consensus is a strict preference"
        ),
    )


def _followed(signs_J: Floats, sides_J: Floats) -> Floats:
    """1 where the preference is on that side, 0 where it is on the other, NaN where one of them says nothing."""
    agreement_J = signs_J * sides_J
    return np.where(agreement_J == 0, np.nan, (agreement_J + 1) / 2)


def _num_judged(counts_US: Any) -> float:
    """How many comparisons have a strict preference: their judgments are of the same two replies."""
    return float((counts_US[:, [0, 2]].sum(axis=1) > 0).sum())


def _aligned(columns: Columns, comparisons: Column, longer: Column) -> Any:
    """The sign of each of the columns' comparisons [U]."""
    given, signs = np.asarray(comparisons), np.sign(np.asarray(longer, dtype=np.float64)).astype(np.int64)
    order = np.argsort(given, kind="stable")
    places = np.searchsorted(given[order], columns.comparisons)
    found = order[np.minimum(places, max(0, len(order) - 1))] if len(order) else places
    if (not len(order) and columns.num_units) or (given[found] != columns.comparisons).any():
        raise ValueError("every judged comparison needs a row that says which reply is longer")
    return signs[found]
