"""Dawid–Skene: the true value of each unit and each annotator's confusion matrix, by expectation maximisation.

Unit u has a true value k with the prior probability π_k. Annotator a says l when the truth is k with the probability
θ_a[k, l], independently of the others given k:

    P(k | answers about u) ∝ π_k · Π_{answers l of a} θ_a[k, l]                              (expectation)
    θ_a[k, l] ∝ s_kl + Σ_{answers l of a about u} P(k | u),  π_k ∝ Σ_u P(k | u)              (maximisation)

s stands for a Dirichlet prior's pseudo-counts, `smoothing` for each wrong value and four times that for the right one:
an annotator with few answers is believed to be right more often than not, and never to be perfect.
Source: A. P. Dawid and A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm"
(1979), equations 2.3–2.5.

Answers about two completions are taken as they were displayed: left better, tie or right better. Whether the one with
the lower index stood left or right is chance, so that a habit of choosing the left shows in θ. Which of them has the
lower index is chance too, so that π is the same for a value and its mirror image.

Shapes: J answers, U units, A annotators, K values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from annotation.aggregation.consensus import Aggregation, conclude_by_pairs
from annotation.aggregation.judgments import Judgments, count_pair_votes, number_comparisons
from annotation.aggregation.majority import rows_of_comparisons
from annotation.aggregation.newton import Floats, Integers

SMOOTHING = 0.5  # pseudo-counts of each wrong value
RIGHT_TO_WRONG = 4  # pseudo-counts of the right value, in those of a wrong one
MAX_ROUNDS = 200
TOLERANCE = 1e-5  # of the largest change of a probability

_EPSILON = 1e-9  # a value that nobody gave has no logarithm otherwise


@dataclass(frozen=True, kw_only=True)
class DawidSkeneFit:
    """Where the expectation maximisation ended."""

    probabilities_UK: Floats  # of each true value; the prior π for a unit without answers
    confusions_AKK: Floats  # P(the annotator says column | the truth is row)
    prior_K: Floats
    num_rounds: int
    is_converged: bool


def fit_dawid_skene(
    units_J: Integers,
    annotators_J: Integers,
    values_J: Integers,
    *,
    num_units: int,
    num_annotators: int,
    num_values: int,
    is_swapped_J: NDArray[np.bool_] | None = None,
    smoothing: float = SMOOTHING,
    max_rounds: int = MAX_ROUNDS,
    tolerance: float = TOLERANCE,
) -> DawidSkeneFit:
    """True values and confusion matrices from J answers, numbered from 0, starting from the shares of votes.

    Where `is_swapped_J`, the annotator saw the mirror image: value k as K - 1 - k. Confusion matrices are about what
    annotators saw, probabilities about values as they are given.
    """
    answers = _Answers(units_J, annotators_J, values_J, is_swapped_J, (num_units, num_annotators, num_values))
    probabilities_UK = _vote_shares(units_J, values_J, num_units, num_values)
    pseudo_counts_KK = smoothing * (1 + (RIGHT_TO_WRONG - 1) * np.eye(num_values))
    change, num_rounds = np.inf, 0
    while num_rounds < max_rounds and change >= tolerance:
        num_rounds += 1
        prior_K = _EPSILON + probabilities_UK[answers.is_answered_U].sum(axis=0)
        prior_K = prior_K if is_swapped_J is None else prior_K + prior_K[::-1]
        prior_K = prior_K / prior_K.sum()
        confusions_AKK = pseudo_counts_KK + answers.count(probabilities_UK)
        confusions_AKK /= confusions_AKK.sum(axis=2, keepdims=True)
        logs_UK = np.log(prior_K) + answers.log_likelihoods(np.log(confusions_AKK))
        updated_UK = np.exp(logs_UK - logs_UK.max(axis=1, keepdims=True))
        updated_UK /= updated_UK.sum(axis=1, keepdims=True)
        change = float(np.abs(updated_UK - probabilities_UK).max(initial=0.0))
        probabilities_UK = updated_UK
    return DawidSkeneFit(
        probabilities_UK=probabilities_UK,
        confusions_AKK=confusions_AKK,
        prior_K=prior_K,
        num_rounds=num_rounds,
        is_converged=change < tolerance,
    )


def dawid_skene(
    judgments: Judgments,
    *,
    smoothing: float = SMOOTHING,
    max_rounds: int = MAX_ROUNDS,
    tolerance: float = TOLERANCE,
) -> Aggregation:
    """Dawid–Skene over every two completions of every comparison; completions in order of their expected wins.

    Rankings are taken apart into pairs as if these were independent, which makes long rankings too sure.
    `findings` has each annotator's confusion matrix over (left better, tie, right better).
    """
    parameters: dict[str, Any] = {"smoothing": smoothing, "max_rounds": max_rounds, "tolerance": tolerance}
    comparisons = number_comparisons(judgments)
    votes = count_pair_votes(judgments, comparisons)
    fit = fit_dawid_skene(
        votes.units_V,
        votes.annotators_V,
        votes.values_V,
        num_units=comparisons.num_units,
        num_annotators=len(votes.annotators),
        num_values=3,
        is_swapped_J=votes.sides_V < 0,
        **parameters,
    )
    is_judged_U = np.bincount(votes.units_V, minlength=comparisons.num_units) > 0
    probabilities_U3 = np.where(is_judged_U[:, None], fit.probabilities_UK, 0)
    rows = rows_of_comparisons(votes, len(comparisons.ids))
    return Aggregation(
        method="dawid_skene",
        parameters=parameters,
        consensus=conclude_by_pairs(comparisons, probabilities_U3, rows),
        findings=_findings(fit, votes.annotators),
    )


class _Answers:
    """Answers as sparse counts [U, A·K], those that were seen as they are given and those that were seen mirrored."""

    def __init__(
        self,
        units_J: Integers,
        annotators_J: Integers,
        values_J: Integers,
        is_swapped_J: NDArray[np.bool_] | None,
        shape: tuple[int, int, int],
    ) -> None:
        num_units, self._num_annotators, self._num_values = shape
        self.is_answered_U = np.bincount(units_J, minlength=num_units) > 0
        seen_J = values_J if is_swapped_J is None else np.where(is_swapped_J, shape[2] - 1 - values_J, values_J)
        columns_J = annotators_J * shape[2] + seen_J
        is_swapped = np.zeros(len(units_J), dtype=bool) if is_swapped_J is None else is_swapped_J
        self._parts = []
        for direction, is_in_J in ((1, ~is_swapped), (-1, is_swapped)):
            cells = (units_J[is_in_J], columns_J[is_in_J])
            counts = csr_matrix((np.ones(len(cells[0])), cells), shape=(num_units, shape[1] * shape[2]))
            self._parts.append((direction, counts, counts.T.tocsr()))

    def count(self, probabilities_UK: Floats) -> Floats:
        """How often each annotator is expected to have said l where the truth, as seen, was k [A, K, K]."""
        counts_RK = sum(by_answer @ probabilities_UK[:, ::direction] for direction, _, by_answer in self._parts)
        return (
            np.asarray(counts_RK)
            .reshape(self._num_annotators, self._num_values, self._num_values)
            .transpose(0, 2, 1)
            .copy()
        )

    def log_likelihoods(self, logs_AKK: Floats) -> Floats:
        """ln P(the answers about each unit | its true value) [U, K]."""
        logs_RK = logs_AKK.transpose(0, 2, 1).reshape(-1, self._num_values)
        return np.asarray(sum((by_unit @ logs_RK)[:, ::direction] for direction, by_unit, _ in self._parts))


def _vote_shares(units_J: Integers, values_J: Integers, num_units: int, num_values: int) -> Floats:
    cells = np.bincount(units_J * num_values + values_J, minlength=num_units * num_values)
    counts_UK = cells.reshape(num_units, num_values).astype(np.float64)
    return np.asarray(counts_UK / np.maximum(counts_UK.sum(axis=1, keepdims=True), 1))


def _findings(fit: DawidSkeneFit, annotators: list[Any]) -> dict[str, Any]:
    diagonals_A = np.einsum("akk,k->a", fit.confusions_AKK, fit.prior_K)
    return {
        "values": ["left_better", "tie", "right_better"],
        "prior": fit.prior_K.tolist(),
        "annotators": {
            str(name): {"confusion": confusion, "accuracy": accuracy}
            for name, confusion, accuracy in zip(
                annotators, fit.confusions_AKK.tolist(), diagonals_A.tolist(), strict=True
            )
        },
        "num_rounds": fit.num_rounds,
        "is_converged": fit.is_converged,
    }
