"""The input of every aggregation: judgments as columns, and the votes on pairs of completions that they contain.

Shapes: J judgments, C comparisons, U units (two completions of one comparison), V votes (what one judgment says about
one unit), I items (a completion of a prompt), A annotators.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from annotation.aggregation.newton import Floats, Integers
from annotation.tiers import ordered_pairs

Id = TypeVar("Id", bound=Hashable)
AnyTiers = Sequence[Sequence[int]]
Describe = Callable[[AnyTiers, int, bool], Sequence[Sequence[float]]]

FIRST_BETTER, TIED, SECOND_BETTER = 0, 1, 2  # a vote's value; first is the completion with the lower index


@dataclass(frozen=True, kw_only=True)
class Judgments:
    """Judgments as equally long columns, and what their comparisons consist of. Ids may be anything hashable.

    Raises ValueError for unequal lengths and for judgments of unknown comparisons.
    """

    comparisons: Sequence[Hashable]  # J
    annotators: Sequence[Hashable]  # J
    tiers: Sequence[AnyTiers | None]  # J, of indices in `completions`; None: no opinion
    display_orders: Sequence[Sequence[int]]  # J, the index of the completion shown at each place; empty: not known
    completions: Mapping[Any, Sequence[Any]]  # C, by comparison; also of those that nobody judged
    prompts: Mapping[Any, Any]  # C, by comparison
    unranked_is_worse: Sequence[bool] | None = None  # J: what no tier names is worse (top k), not unknown (a tray)

    def __post_init__(self) -> None:
        columns = [self.comparisons, self.annotators, self.tiers, self.display_orders]
        if self.unranked_is_worse is not None:
            columns.append(self.unranked_is_worse)
        if len({len(column) for column in columns}) > 1:
            raise ValueError(f"columns must be equally long, got {[len(column) for column in columns]}")
        if unknown := set(self.comparisons) - set(self.completions):
            raise ValueError(f"judgments of comparisons whose completions are not given, such as {unknown.pop()!r}")
        if unknown := set(self.completions) - set(self.prompts):
            raise ValueError(f"comparisons whose prompt is not given, such as {unknown.pop()!r}")


@dataclass(frozen=True, kw_only=True)
class Comparisons:
    """Comparisons, their units and their items as numbers from 0."""

    ids: list[Hashable]  # C
    sizes_C: Integers  # completions of each
    unit_starts_C: Integers  # its first unit; its others follow: (0, 1), (0, 2), …, (1, 2), …
    item_starts_C: Integers  # where its completions begin in `items_K`
    items_K: Integers  # the item of each completion of each comparison, comparison by comparison
    prompts_I: Integers  # the prompt of each item; items of a prompt follow one another
    prompts_C: Integers  # the prompt of each comparison
    num_units: int


@dataclass(frozen=True, kw_only=True)
class PairVotes:
    """What judgments say about pairs of completions."""

    judgments_V: Integers  # the row of the judgment
    units_V: Integers
    annotators_V: Integers
    values_V: Integers  # FIRST_BETTER, TIED or SECOND_BETTER
    weights_V: Floats  # a ranking of K counts as K - 1 votes in all
    sides_V: Integers  # 1: the first was shown before the second; -1: after it; 0: not known
    first_items_V: Integers
    second_items_V: Integers
    annotators: list[Hashable]  # A
    comparisons_J: Integers  # the number of each judgment's comparison


def number_comparisons(judgments: Judgments) -> Comparisons:
    """Comparisons in the order in which they are given; items are numbered prompt by prompt."""
    ids = list(judgments.completions)
    prompt_numbers = _numbers(judgments.prompts[comparison] for comparison in ids)
    prompts_C = np.array([prompt_numbers[judgments.prompts[comparison]] for comparison in ids], dtype=np.int64)
    item_numbers: dict[tuple[int, Hashable], int] = {}
    for place in np.argsort(prompts_C, kind="stable").tolist():
        prompt = int(prompts_C[place])
        for completion in judgments.completions[ids[place]]:
            item_numbers.setdefault((prompt, completion), len(item_numbers))
    sizes_C = np.array([len(judgments.completions[comparison]) for comparison in ids], dtype=np.int64)
    num_units_C = sizes_C * (sizes_C - 1) // 2
    items = [
        item_numbers[prompt, completion]
        for comparison, prompt in zip(ids, prompts_C.tolist(), strict=True)
        for completion in judgments.completions[comparison]
    ]
    return Comparisons(
        ids=ids,
        sizes_C=sizes_C,
        unit_starts_C=np.cumsum(num_units_C) - num_units_C,
        item_starts_C=np.cumsum(sizes_C) - sizes_C,
        items_K=np.array(items, dtype=np.int64),
        prompts_I=np.array([prompt for prompt, _ in item_numbers], dtype=np.int64),
        prompts_C=prompts_C,
        num_units=int(num_units_C.sum()),
    )


def count_pair_votes(judgments: Judgments, comparisons: Comparisons) -> PairVotes:
    """Every vote on two completions, in the order of the judgments; judgments without an opinion give none."""
    comparison_numbers = {comparison: number for number, comparison in enumerate(comparisons.ids)}
    comparisons_J = np.array([comparison_numbers[name] for name in judgments.comparisons], dtype=np.int64)
    annotator_numbers = _numbers(judgments.annotators)
    annotators_J = np.array([annotator_numbers[name] for name in judgments.annotators], dtype=np.int64)
    rows_V, table_V4 = expand(judgments, comparisons.sizes_C[comparisons_J], _votes)
    first_V, second_V, values_V = table_V4.reshape(-1, 4)[:, :3].astype(np.int64).T
    of_V = comparisons_J[rows_V]
    places_JN = _places(judgments.display_orders, int(comparisons.sizes_C.max(initial=0)))
    item_starts_V = comparisons.item_starts_C[of_V]
    return PairVotes(
        judgments_V=rows_V,
        units_V=comparisons.unit_starts_C[of_V] + _unit(first_V, second_V, comparisons.sizes_C[of_V]),
        annotators_V=annotators_J[rows_V],
        values_V=values_V,
        weights_V=table_V4.reshape(-1, 4)[:, 3],
        sides_V=np.sign(places_JN[rows_V, second_V] - places_JN[rows_V, first_V]),
        first_items_V=comparisons.items_K[item_starts_V + first_V],
        second_items_V=comparisons.items_K[item_starts_V + second_V],
        annotators=list(annotator_numbers),
        comparisons_J=comparisons_J,
    )


def expand(judgments: Judgments, sizes_J: Integers, describe: Describe) -> tuple[Integers, Floats]:
    """What each judgment says, row by row: the judgment of each row, and the rows that `describe` made of its answer.

    Answers repeat: `describe` (tiers, number of completions, whether the unranked are worse) is asked once for each
    different answer.
    """
    worse_J = judgments.unranked_is_worse or [False] * len(sizes_J)
    keys = [
        (() if tiers is None else tuple(map(tuple, tiers)), size, is_worse)
        for tiers, size, is_worse in zip(judgments.tiers, sizes_J.tolist(), worse_J, strict=True)
    ]
    numbers = _numbers(keys)
    described = [describe(tiers, size, is_worse) for tiers, size, is_worse in dict.fromkeys(keys)]
    kinds_J = np.array([numbers[key] for key in keys], dtype=np.int64)
    rows, cells = _ragged(kinds_J, [len(rows) for rows in described])
    return rows, np.array([row for rows in described for row in rows], dtype=np.float64)[cells]


def unnamed(tiers: AnyTiers, size: int) -> list[int]:
    """The completions that no tier names."""
    return sorted(set(range(size)).difference(*tiers))


def vote_weight(num_pairs: int) -> float:
    """How much each pair of one judgment weighs: a judgment that orders K completions counts as K - 1 votes in all.

    Its K(K - 1)/2 pairs follow from one another; K - 1 choices are what a Plackett–Luce ranking consists of.
    `num_pairs` is how many pairs it says something about; a top k of K says less than all, and weighs as if complete
    among fewer.
    """
    if not num_pairs:
        return 0.0
    num_completions = (1 + math.sqrt(1 + 8 * num_pairs)) / 2  # the K with K(K - 1)/2 pairs
    return 2 / num_completions


def _numbers(ids: Iterable[Id]) -> dict[Id, int]:
    """Each id's number, in order of appearance."""
    return {name: number for number, name in enumerate(dict.fromkeys(ids))}


def _votes(tiers: AnyTiers, size: int, is_worse: bool) -> list[tuple[int, int, int, float]]:
    pairs = ordered_pairs(tiers, worse=unnamed(tiers, size) if is_worse else [])
    weight = vote_weight(len(pairs.preferences) + len(pairs.ties))
    votes = [(first, second, TIED, weight) for first, second in pairs.ties]
    for winner, loser in pairs.preferences:
        value = FIRST_BETTER if winner < loser else SECOND_BETTER
        votes.append((min(winner, loser), max(winner, loser), value, weight))
    return votes


def _ragged(kinds_J: Integers, lengths: Sequence[int]) -> tuple[Integers, Integers]:
    """For rows that each take all cells of their kind: the row of each cell, and the cell's number over all kinds."""
    lengths_K = np.array(lengths, dtype=np.int64)
    lengths_J = lengths_K[kinds_J]
    rows = np.repeat(np.arange(len(kinds_J)), lengths_J)
    starts_J = (np.cumsum(lengths_K) - lengths_K)[kinds_J]
    return rows, np.arange(len(rows)) + np.repeat(starts_J - (np.cumsum(lengths_J) - lengths_J), lengths_J)


def _places(display_orders: Sequence[Sequence[int]], num_places: int) -> Integers:
    """The place of each completion of each judgment [J, N]; all 0 where the order is not known."""
    keys = [tuple(order) for order in display_orders]
    numbers = _numbers(keys)
    table = np.zeros((len(numbers), num_places), dtype=np.int64)
    for order, number in numbers.items():
        table[number, list(order)] = np.arange(len(order))
    return table[[numbers[key] for key in keys]]


def _unit(first: Integers, second: Integers, size: Integers) -> Integers:
    """The number of a pair first < second among the pairs of `size` completions: (0, 1), (0, 2), …, (1, 2), …"""
    return first * (2 * size - first - 1) // 2 + second - first - 1
