"""What to ask next about the completions of one prompt, and when to stop asking.

From the votes so far follows the Bradley–Terry posterior of the completions' utilities, a mode and a covariance
(`annotation/aggregation/bradley_terry.py`). For a pair with d = u_i - u_j at the mode m with variance v, the score is

    P(the order is wrong) · ½ ln(1 + p(1 - p) v),   P(wrong) = Φ(-|m| / √v),   p = 1 / (1 + e^-m)

The second factor is the information in nats that one more judgment of the pair is expected to give about d: the Fisher
information p(1 - p) of a judgment meets the prior variance v, so that the variance shrinks to v / (1 + p(1 - p) v).
It is the Gaussian form of the gain in N. Houlsby et al., "Bayesian active learning for classification and preference
learning" (2011), and of J. Li et al., "Hybrid-MST" (2018), which integrate numerically. The first factor spends that
information where it decides the order: alone, the second also asks about pairs whose order is known and only whose
distance is not. Chatbot Arena (W.-L. Chiang et al., 2024, section 5) weighs a pair of models by the shrinking of its
interval, √(Σ/n) - √(Σ/(n + 1)), which knows nothing of orders. `benchmarks/adaptive.py` compares the three.

Shapes: N completions of the prompt, E pairs of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import expit, ndtr

from annotation.aggregation.bradley_terry import (
    PRIOR_SD,
    PairCounts,
    difference_variances,
    differences,
    fit_utilities,
)
from annotation.aggregation.judgments import vote_weight
from annotation.aggregation.newton import Floats, Posterior
from annotation.tiers import pairs_of

Pair = tuple[Any, Any]  # two completions' ids
Judged = tuple[Sequence[Hashable], Mapping[str, Any]]  # a comparison's completions by position, and the stored answer
Scope = Literal["pairs", "top", "order"]


@dataclass(frozen=True, kw_only=True)
class Votes:
    """What was said so far about the completions of a prompt. A ranking of K counts as K - 1 votes in all."""

    completions: tuple[Hashable, ...]  # N
    net_NN: Floats  # votes for the row over the column, minus the reverse
    num_NN: Floats  # votes between the two, ties included


def count_votes(completions: Sequence[Hashable], judgments: Iterable[Judged]) -> Votes:
    """Votes about `completions` in judgments of comparisons among them; those of other completions are passed over."""
    numbers = {completion: number for number, completion in enumerate(completions)}
    wins, ties = [
        [[0.0] * len(numbers) for _ in numbers] for _ in range(2)
    ]  # nested lists: faster than cells of arrays
    for candidates, answer in judgments:
        pairs = pairs_of(answer)
        weight = vote_weight(len(pairs.preferences) + len(pairs.ties))
        for said, counts in ((pairs.preferences, wins), (pairs.ties, ties)):
            for first, second in said:
                i, j = numbers.get(candidates[first]), numbers.get(candidates[second])
                if i is not None and j is not None:
                    counts[i][j] += weight
    wins_NN, ties_NN = np.array([wins, ties]).reshape(2, len(numbers), len(numbers))
    num_NN = wins_NN + wins_NN.T + ties_NN + ties_NN.T
    return Votes(completions=tuple(completions), net_NN=wins_NN - wins_NN.T, num_NN=num_NN)


def score_pairs(votes: Votes, *, prior_sd: float = PRIOR_SD) -> dict[Pair, float]:
    """How much one more judgment of each pair is worth; keys in the order of `votes.completions`, higher is better.

    Scores are comparable between prompts: they fall toward 0 as an order becomes known. Without votes all are equal.
    """
    first_E, second_E = np.triu_indices(len(votes.completions), k=1)
    gaps_NN, variances_NN = _gaps(_posterior(votes, prior_sd))
    scores_E = value_of_asking(gaps_NN[first_E, second_E], variances_NN[first_E, second_E])
    names = votes.completions
    pairs = zip(first_E.tolist(), second_E.tolist(), scores_E.tolist(), strict=True)
    return {(names[first], names[second]): score for first, second, score in pairs}


def score_comparison(scores: Mapping[Pair, float], completions: Sequence[Hashable]) -> float:
    """The mean score of the pairs of a comparison; a pair without a score counts 0. For two it is their score."""
    pairs = [(a, b) for place, a in enumerate(completions) for b in completions[place + 1 :]]
    return sum(scores.get((a, b), scores.get((b, a), 0.0)) for a, b in pairs) / max(1, len(pairs))


def value_of_asking(gaps: Floats, variances: Floats) -> Floats:
    """The score at the top of this module, for d with the modes `gaps` and `variances` (same shape, variances > 0)."""
    p = expit(gaps)
    return np.asarray(ndtr(-np.abs(gaps) / np.sqrt(variances)) * 0.5 * np.log1p(p * (1 - p) * variances))


def is_settled(votes: Votes, probability: float, *, scope: Scope = "pairs", prior_sd: float = PRIOR_SD) -> bool:
    """Whether what `scope` asks for is known with at least `probability`.

    "pairs": a pair drawn at random is in the right order; "top": the best is better than each other one; "order": each
    neighbour in the order is better than the next, which is much to ask of more than a few completions.
    `docs/explanation/adaptive-selection.md` says how far to trust these probabilities.
    """
    return bool(known_probability(_posterior(votes, prior_sd), scope=scope)[0] >= probability)


def known_probability(posterior: Posterior, *, scope: Scope) -> Floats:
    """The probability that `is_settled` asks for, for each of P prompts [P]; 1 for a single completion."""
    order_PN = np.argsort(-posterior.utilities_PN, axis=1, kind="stable")
    first, second = np.triu_indices(order_PN.shape[1], k=1)
    is_asked = {"order": second == first + 1, "top": first == 0, "pairs": first >= 0}[scope]
    rows, upper, lower = np.arange(len(order_PN))[:, None], order_PN[:, first[is_asked]], order_PN[:, second[is_asked]]
    gaps_PE = differences(posterior.utilities_PN)[rows, upper, lower]
    known_PE = ndtr(gaps_PE / np.sqrt(difference_variances(posterior.covariance_PNN)[rows, upper, lower]))
    if not known_PE.shape[1]:
        return np.ones(len(order_PN))
    return np.asarray(known_PE.mean(axis=1) if scope == "pairs" else known_PE.min(axis=1))


def _posterior(votes: Votes, prior_sd: float) -> Posterior:
    num_PNN = votes.num_NN[None]
    counts = PairCounts(net_PNN=votes.net_NN[None], num_PNN=num_PNN, ties_PNN=np.zeros_like(num_PNN))
    return fit_utilities(counts, prior_sd=prior_sd)


def _gaps(posterior: Posterior) -> tuple[Floats, Floats]:
    """Modes and variances of u_i - u_j [N, N]."""
    return differences(posterior.utilities_PN)[0], difference_variances(posterior.covariance_PNN)[0]
