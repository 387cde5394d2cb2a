"""Majority: of every two completions the outcome with most votes, and an order by wins."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from annotation.aggregation.consensus import Aggregation, conclude_by_pairs, rows_by
from annotation.aggregation.judgments import TIED, Judgments, PairVotes, count_pair_votes, number_comparisons
from annotation.aggregation.newton import Floats

Even = Literal["tie", "undecided", "random"]
TieVotes = Literal["answer", "half"]


def majority(judgments: Judgments, *, even: Even = "tie", tie_votes: TieVotes = "answer", seed: int = 0) -> Aggregation:
    """The outcome that most annotators chose, for every two completions; completions in order of their shares of wins.

    `tie_votes`: "answer" lets a tie win like any other outcome; "half" makes it half a vote for each side.
    `even` says what to do where two outcomes have equally many votes: "tie" makes the two completions level,
    "undecided" gives no tiers, "random" draws with `seed`.

    The posterior holds shares of votes, not probabilities. Three completions whose majorities go round in a circle
    have equal scores and become level (or undecided).
    """
    comparisons = number_comparisons(judgments)
    votes = count_pair_votes(judgments, comparisons)
    shares_U3 = vote_shares(votes, comparisons.num_units, tie_votes=tie_votes)
    consensus = conclude_by_pairs(
        comparisons,
        shares_U3,
        rows_of_comparisons(votes, len(comparisons.ids)),
        decided_U3=_jittered(shares_U3, seed) if even == "random" else None,
        is_even_undecided=even == "undecided",
    )
    parameters: dict[str, Any] = {"even": even, "tie_votes": tie_votes, "seed": seed}
    return Aggregation(method="majority", parameters=parameters, consensus=consensus, findings={})


def vote_shares(votes: PairVotes, num_units: int, *, tie_votes: TieVotes = "answer") -> Floats:
    """The share of each outcome [U, 3]: first better, tie, second better; all 0 where nobody judged."""
    cells = np.bincount(votes.units_V * 3 + votes.values_V, minlength=num_units * 3)
    counts_U3 = cells.reshape(num_units, 3).astype(np.float64)
    if tie_votes == "half":
        counts_U3[:, [0, 2]] += counts_U3[:, [TIED]] / 2
        counts_U3[:, TIED] = 0
    return np.asarray(counts_U3 / np.maximum(counts_U3.sum(axis=1, keepdims=True), 1))


def rows_of_comparisons(votes: PairVotes, num_comparisons: int) -> list[list[int]]:
    """The judgments of each comparison that say something about its order."""
    is_voting_J = np.zeros(len(votes.comparisons_J), dtype=bool)
    is_voting_J[votes.judgments_V] = True
    return rows_by(np.where(is_voting_J, votes.comparisons_J, -1), num_comparisons)


def _jittered(shares_U3: Floats, seed: int) -> Floats:
    """Shares that are no longer even, by less than any vote weighs."""
    noise_U3 = np.random.default_rng(seed).random(shares_U3.shape) * 1e-6
    return np.where(shares_U3.sum(axis=1, keepdims=True) > 0, shares_U3 + noise_U3, 0)
