"""Plackett–Luce: a utility for each completion of a prompt, from rankings that may have ties and may be partial.

A ranking is a row of choices: the best of all, the best of the rest, and so on. Out of a set S, i is chosen with

    P(i out of S) = e^(u_i) / Σ_{k in S} e^(u_k)

Two completions give Bradley and Terry's model. A completion about which nothing is said is in no set; one that is only
known to be worse than those ranked is in every set and never chosen.

A tie says nothing about the order inside it. Its log likelihood is the mean over all orders of the tied completions,
which for two is half a win for each. With T tied and B below them, this mean is

    Σ_{i in T} u_i - Σ_{∅ ≠ S ⊆ T} ln(Σ_{k in S ∪ B} e^(u_k)) / C(|T|, |S|)

because every subset of T of a given size is what is left of T equally often.

Sources: R. D. Luce, "Individual Choice Behavior" (1959); R. L. Plackett, "The analysis of permutations" (1975);
D. R. Hunter, "MM algorithms for generalized Bradley–Terry models" (2004), section 5, for partial rankings. The maximum
with a normal prior is found by Newton's method instead of Hunter's, which converges slowly where replies always win.

Shapes: P prompts, N completions of a prompt, R choices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import softmax

from annotation.aggregation.bradley_terry import PRIOR_SD
from annotation.aggregation.consensus import Booleans
from annotation.aggregation.judgments import AnyTiers, unnamed
from annotation.aggregation.newton import Floats, Integers, Posterior, maximise

MAX_TIED = 12  # a tie of n is 2^n - 1 choices


@dataclass(frozen=True, kw_only=True)
class Choices:
    """Choices out of sets of completions of P prompts that have N completions each."""

    wins_PN: Floats  # how often each was chosen
    members_RN: Booleans  # the completions of each set
    prompts_R: Integers
    weights_R: Floats


def fit_choices(choices: Choices, *, prior_sd: float = PRIOR_SD) -> Posterior:
    """The posterior of the utilities of each prompt's completions."""
    num_choices, shape = len(choices.weights_R), choices.wins_PN.shape
    cells = (choices.prompts_R, np.arange(num_choices))
    weights_PR = csr_matrix((choices.weights_R, cells), shape=(shape[0], num_choices))
    diagonal = np.arange(shape[1])

    def slopes(utilities_PN: Floats) -> tuple[Floats, Floats]:
        logits_RN = np.where(choices.members_RN, utilities_PN[choices.prompts_R], -np.inf)
        chances_RN = softmax(logits_RN, axis=1)
        expected_PN = weights_PR @ chances_RN
        information_PNN = np.zeros((*shape, shape[1]))
        for column in range(shape[1]):
            information_PNN[:, column] = -(weights_PR @ (chances_RN * chances_RN[:, [column]]))
        information_PNN[:, diagonal, diagonal] += expected_PN
        return choices.wins_PN - expected_PN, information_PNN

    return maximise(slopes, start_PN=np.zeros(shape), prior_sd=prior_sd)


def describe_choices(tiers: AnyTiers, size: int, is_worse: bool) -> list[tuple[float, float]]:
    """The choices of one ranking of `size` completions, each as (set, weight); a set is a number with a bit for each.

    Raises ValueError for a tie of more than MAX_TIED.
    """
    below = unnamed(tiers, size) if is_worse else []
    choices: list[tuple[float, float]] = []
    for tier in reversed(tiers):
        if len(tier) > MAX_TIED:
            raise ValueError(f"a tie of at most {MAX_TIED} completions, got {len(tier)}")
        for num in range(1, len(tier) + 1):
            weight = 1 / math.comb(len(tier), num)
            choices += [(_bits([*some, *below]), weight) for some in combinations(tier, num)]
        below = [*below, *tier]
    return choices


def describe_wins(tiers: AnyTiers, size: int, is_worse: bool) -> list[tuple[float]]:
    """The completions that are chosen: those in tiers."""
    return [(index,) for tier in tiers for index in tier]


def _bits(indices: Sequence[int]) -> float:
    return float(sum(1 << index for index in indices))
