"""Prompts in blocks with the same number of completions: the form in which the models of utilities compute.

Shapes: I items (a completion of a prompt), B blocks; in a block P prompts and N completions. C comparisons of K
completions each, V votes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import ndtr

from annotation.aggregation.bradley_terry import PairCounts, difference_variances, differences
from annotation.aggregation.consensus import (
    LEVEL,
    NO_VOTES,
    Consensus,
    Steps,
    conclude,
    groups_of_size,
    pair_posteriors,
    without_order,
)
from annotation.aggregation.judgments import FIRST_BETTER, SECOND_BETTER, TIED, Comparisons, PairVotes
from annotation.aggregation.newton import Floats, Integers, Posterior

_LEVEL = 1e-7  # utilities that differ by less are equal but for rounding


@dataclass(frozen=True, kw_only=True)
class PromptBlock:
    """Prompts that have N completions each. Items are numbered prompt by prompt, so a prompt's are consecutive."""

    prompts_P: Integers
    first_items_P: Integers
    size: int  # N


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where each prompt and each item is found."""

    blocks: list[PromptBlock]
    block_of_prompt: Integers
    row_of_prompt: Integers
    column_of_item: Integers


@dataclass(frozen=True, kw_only=True)
class VoteCells:
    """The votes of one block, and the cell [prompt, first, second] of each."""

    rows: Integers
    cells: Integers
    shape: tuple[int, int, int]

    def sum(self, numbers_V: Floats) -> Floats:
        """The sum of a number over the votes on each two completions [P, N, N], first by second."""
        flat = np.bincount(self.cells, weights=numbers_V[self.rows], minlength=int(np.prod(self.shape)))
        return flat.reshape(self.shape).astype(np.float64)  # without votes bincount gives integers


def place_prompts(comparisons: Comparisons) -> Places:
    """The blocks, in order of size."""
    sizes = np.bincount(comparisons.prompts_I)
    first_items = np.cumsum(sizes) - sizes
    block_of_prompt, row_of_prompt = np.zeros((2, len(sizes)), dtype=np.int64)
    blocks = []
    for number, size in enumerate(np.unique(sizes).tolist()):
        prompts_P = np.flatnonzero(sizes == size)
        block_of_prompt[prompts_P], row_of_prompt[prompts_P] = number, np.arange(len(prompts_P))
        blocks.append(PromptBlock(prompts_P=prompts_P, first_items_P=first_items[prompts_P], size=size))
    columns = np.arange(len(comparisons.prompts_I)) - first_items[comparisons.prompts_I]
    return Places(blocks=blocks, block_of_prompt=block_of_prompt, row_of_prompt=row_of_prompt, column_of_item=columns)


def place_votes(places: Places, comparisons: Comparisons, votes: PairVotes) -> list[VoteCells]:
    """The votes of each block."""
    prompts_V = comparisons.prompts_I[votes.first_items_V]
    columns = places.column_of_item
    placed = []
    for number, block in enumerate(places.blocks):
        rows = np.flatnonzero(places.block_of_prompt[prompts_V] == number)
        first, second = columns[votes.first_items_V[rows]], columns[votes.second_items_V[rows]]
        cells = (places.row_of_prompt[prompts_V[rows]] * block.size + first) * block.size + second
        placed.append(VoteCells(rows=rows, cells=cells, shape=(len(block.prompts_P), block.size, block.size)))
    return placed


def pair_counts(cells: VoteCells, votes: PairVotes) -> PairCounts:
    """The votes of one block, counted."""
    sign_V = (votes.values_V == FIRST_BETTER).astype(np.float64) - (votes.values_V == SECOND_BETTER)
    net_PNN = cells.sum(votes.weights_V * sign_V)
    num_PNN = cells.sum(votes.weights_V)
    ties_PNN = cells.sum(votes.weights_V * (votes.values_V == TIED))
    return PairCounts(
        net_PNN=net_PNN - net_PNN.transpose(0, 2, 1),
        num_PNN=num_PNN + num_PNN.transpose(0, 2, 1),
        ties_PNN=ties_PNN + ties_PNN.transpose(0, 2, 1),
    )


def conclude_by_utilities(
    places: Places,
    comparisons: Comparisons,
    posteriors: Sequence[Posterior],
    components_I: Integers,
    judgments: list[list[int]],
    *,
    margin: float = 0.0,
) -> dict[Hashable, Consensus]:
    """Each comparison's consensus from the posterior of its prompt's utilities.

    Completions are level if their utilities differ by at most `margin` (2 ln ν of Davidson's model; 0 elsewhere).
    `components_I` numbers the parts of the graph of votes; `judgments` has the rows of each prompt.
    """
    consensus = without_order(comparisons)
    for size, chosen_C in groups_of_size(comparisons):
        for number, posterior in enumerate(posteriors):
            in_block_C = chosen_C[places.block_of_prompt[comparisons.prompts_C[chosen_C]] == number]
            if not len(in_block_C):
                continue
            items_CK = comparisons.items_K[comparisons.item_starts_C[in_block_C][:, None] + np.arange(size)]
            rows_C = places.row_of_prompt[comparisons.prompts_C[in_block_C]]
            chosen = _posterior_of(posterior, rows_C, places.column_of_item[items_CK])
            steps = _order_by_utilities(chosen, components_I[items_CK], margin)
            concluded = conclude(
                steps, _descriptions(chosen, margin), [judgments[row] for row in comparisons.prompts_C[in_block_C]]
            )
            consensus |= {comparisons.ids[name]: one for name, one in zip(in_block_C.tolist(), concluded, strict=True)}
    return consensus


def components_of_items(num_items: int, first_V: Integers, second_V: Integers) -> Integers:
    """The part of the graph of votes in which each item is: two items in different parts cannot be compared [I]."""
    graph = coo_matrix((np.ones(len(first_V), dtype=np.int8), (first_V, second_V)), shape=(num_items, num_items))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _posterior_of(posterior: Posterior, rows_C: Integers, columns_CK: Integers) -> Posterior:
    return Posterior(
        utilities_PN=posterior.utilities_PN[rows_C[:, None], columns_CK],
        covariance_PNN=posterior.covariance_PNN[rows_C[:, None, None], columns_CK[:, :, None], columns_CK[:, None, :]],
    )


def _order_by_utilities(posterior: Posterior, components_CK: Integers, margin: float) -> Steps:
    utilities_CK = posterior.utilities_PN
    orders_CK = np.argsort(-utilities_CK.round(7), axis=1, kind="stable")
    rows = np.arange(len(orders_CK))[:, None]
    outcomes = _outcome_probabilities(posterior, margin)[rows, orders_CK[:, :-1], orders_CK[:, 1:]]
    falls_CK = -np.diff(np.take_along_axis(utilities_CK, orders_CK, 1), axis=1)
    is_down_CK = falls_CK > max(margin, _LEVEL)
    confidences_CK = np.where(is_down_CK, outcomes[..., 0], outcomes[..., 1] if margin else np.nan)
    is_known_C = (components_CK == components_CK[:, :1]).all(axis=1)
    confidences_C = np.where(is_known_C, confidences_CK.min(axis=1), np.nan)
    return Steps(
        orders_CN=orders_CK,
        is_down_CN=is_down_CK,
        confidences_C=confidences_C,
        reasons=[
            _why_apart(parts) if not is_known else LEVEL if np.isnan(confidence) else None
            for parts, is_known, confidence in zip(components_CK, is_known_C, confidences_C, strict=True)
        ],
        is_known_C=is_known_C,
    )


def _outcome_probabilities(posterior: Posterior, margin: float) -> Floats:
    """P(d > margin), P(|d| <= margin), P(d < -margin) for the normal posterior of each d = u_i - u_j [C, K, K, 3]."""
    gaps = differences(posterior.utilities_PN)
    sds = np.sqrt(np.maximum(difference_variances(posterior.covariance_PNN), 1e-300))  # 0 on the diagonal
    better, worse = ndtr((gaps - margin) / sds), ndtr((-gaps - margin) / sds)
    return np.stack([better, np.maximum(1 - better - worse, 0) if margin else np.zeros_like(better), worse], axis=3)


def _descriptions(posterior: Posterior, margin: float) -> list[dict[str, Any]]:
    variances_CK = np.diagonal(posterior.covariance_PNN, axis1=1, axis2=2)
    columns = zip(
        pair_posteriors(_outcome_probabilities(posterior, margin)),
        posterior.utilities_PN.tolist(),
        np.sqrt(variances_CK).tolist(),
        strict=True,
    )
    return [{**pairs, "utilities": means, "standard_errors": errors} for pairs, means, errors in columns]


def _why_apart(components_K: Integers) -> str:
    if len(np.unique(components_K)) == len(components_K):
        return NO_VOTES
    other = int(np.argmax(components_K != components_K[0]))
    return f"no chain of judgments connects completions 0 and {other}"
