"""What soft labels are worth: expected calibration error, Brier score and a reliability table.

Sources: G. W. Brier, "Verification of forecasts expressed in terms of probability" (Monthly Weather Review 78, 1950);
C. Guo and others, "On Calibration of Modern Neural Networks" (2017, arXiv:1706.04599) for the error by bins.

Shapes: J comparisons, N bins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.agreement import Agreement
from annotation.agreement.columns import Column, Floats
from annotation.agreement.intervals import NUM_RESAMPLES, estimate, ratio
from annotation.judging.calibration.clusters import clustered_rows, clustered_share
from annotation.quality import Share

NUM_BINS = 10
_NOTHING = "no comparison has both a soft label and people's answer"
_EMPTY = "no soft label lies here"


@dataclass(frozen=True, kw_only=True)
class ReliabilityRow:
    """The comparisons whose soft label lies in one bin."""

    low: float  # inclusive
    high: float  # exclusive, but for the last bin
    mean_label: float | None
    outcome: Share  # what people said of them; reliable labels have it near `mean_label`


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Soft labels against what people said. 0 is perfect for all three scores."""

    rows: tuple[ReliabilityRow, ...]
    ece: Agreement  # mean distance of labels and outcomes by bin; above 0 by chance where bins are small
    brier: Agreement  # mean squared distance of each label and its outcome
    brier_of_constant: float | None  # of a label that is everywhere the mean outcome: the score to beat


def reliability(
    labels: Column,
    outcomes: Column,
    *,
    prompts: Column | None = None,
    num_bins: int = NUM_BINS,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Reliability:
    """From equally long columns with a row for each comparison, NaN where one is missing.

    `labels` are probabilities of one fixed completion, ties counting half (`Judged.preference`); `outcomes` what people
    say about the same one: 1, 0, a half for a tie, or a mean over people. `prompts`, if given, are resampled as a
    whole. Raises ValueError outside 0 … 1.
    """
    labels_J, outcomes_J = np.asarray(labels, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if len(labels_J) != len(outcomes_J) or num_bins < 1:
        raise ValueError("labels and outcomes must be equally long, and there must be one bin or more")
    is_there_J = ~np.isnan(labels_J) & ~np.isnan(outcomes_J)
    labels_J, outcomes_J = labels_J[is_there_J], outcomes_J[is_there_J]
    groups_J = None if prompts is None else np.asarray(prompts)[is_there_J]
    if any(((column < 0) | (column > 1)).any() for column in (labels_J, outcomes_J)):
        raise ValueError("labels and outcomes must lie in 0–1")
    bins_J = np.minimum((labels_J * num_bins + 1e-9).astype(np.int64), num_bins - 1)
    squares_J = (labels_J - outcomes_J) ** 2
    parts_JD = np.zeros((len(labels_J), 2 + num_bins))
    parts_JD[:, 0], parts_JD[:, 1] = 1.0, squares_J
    parts_JD[np.arange(len(labels_J)), 2 + bins_J] = labels_J - outcomes_J

    def score(statistic: Callable[[Floats], Floats]) -> Agreement:
        rows = clustered_rows(parts_JD, groups_J)
        found = estimate(statistic, rows, n=rows.n, num_judgments=len(parts_JD), num_resamples=num_resamples, seed=seed)
        return found if found.n else Agreement(value=None, interval=None, n=0, num_judgments=0, reason=_NOTHING)

    return Reliability(
        rows=tuple(_row(place, num_bins, labels_J, outcomes_J, groups_J, bins_J == place) for place in range(num_bins)),
        ece=score(lambda sums_BD: ratio(np.abs(sums_BD[:, 2:]).sum(axis=1), sums_BD[:, 0])),
        brier=score(lambda sums_BD: ratio(sums_BD[:, 1], sums_BD[:, 0])),
        brier_of_constant=float(outcomes_J.var()) if len(outcomes_J) else None,
    )


def _row(
    place: int,
    num_bins: int,
    labels_J: Floats,
    outcomes_J: Floats,
    groups_J: NDArray[Any] | None,
    is_in_J: NDArray[np.bool_],
) -> ReliabilityRow:
    return ReliabilityRow(
        low=place / num_bins,
        high=(place + 1) / num_bins,
        mean_label=float(labels_J[is_in_J].mean()) if is_in_J.any() else None,
        outcome=clustered_share(outcomes_J[is_in_J], None if groups_J is None else groups_J[is_in_J], nothing=_EMPTY),
    )
