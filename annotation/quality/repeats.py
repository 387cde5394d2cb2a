"""Whether annotators say the same again, when the same pair comes back with its sides swapped.

A contradiction of a swapped repeat takes the same side twice, so that it is the side rather than the reply that was
followed: where such contradictions lean to one side, this is a position bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from annotation.agreement.columns import Column
from annotation.quality.consensus import agreement_with_gold
from annotation.quality.shares import Share, shares_by


@dataclass(frozen=True, kw_only=True)
class SelfConsistency:
    """One annotator's repeats."""

    annotator: Any
    same: Share  # answers that were repeated, ties included
    kappa: Share  # Cohen's, of the two answers
    contradicted: Share  # strict preferences turned round, of those strict both times
    left_twice: Share  # contradictions in which the left side was chosen twice; sides were swapped


def self_consistency(
    annotators: Column, values: Column, repeats: Column, first_is_left: Column, repeat_first_is_left: Column
) -> list[SelfConsistency]:
    """Consistency of each annotator, in rising order, from equally long columns with a row for each repeated judgment.

    `values` and `repeats` are the canonical values given first and again; the last two columns are True where the
    completion with the lower index was shown left, at first and again.
    """
    values_J, repeats_J = np.asarray(values), np.asarray(repeats)
    signs_J = np.sign(values_J.astype(np.float64)) * np.sign(repeats_J.astype(np.float64))
    contradicted_J = np.where(signs_J == 0, np.nan, (signs_J < 0).astype(np.float64))
    is_swapped_J = np.asarray(first_is_left, dtype=bool) != np.asarray(repeat_first_is_left, dtype=bool)
    took_left_J = (values_J > 0) == np.asarray(first_is_left, dtype=bool)
    left_twice_J = np.where((signs_J < 0) & is_swapped_J, took_left_J.astype(np.float64), np.nan)
    contradicted = shares_by(annotators, contradicted_J, nothing="no repeat was a strict preference both times")
    left_twice = shares_by(annotators, left_twice_J, nothing="no swapped repeat was contradicted")
    return [
        SelfConsistency(
            annotator=row.annotator,
            same=row.raw,
            kappa=row.kappa,
            contradicted=contradicted[row.annotator],
            left_twice=left_twice[row.annotator],
        )
        for row in agreement_with_gold(annotators, values_J, repeats_J)
    ]
