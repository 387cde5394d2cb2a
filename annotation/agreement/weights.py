"""How near two different values are: agreement weights (1 for the same value) and squared distances.

Sources: J. Cohen, "Weighted kappa" (Psychological Bulletin 70, 1968) for linear and quadratic weights; K. Gwet,
"Handbook of Inter-Rater Reliability" (4th edition, 2014), chapter 3, for ordinal ones; K. Krippendorff, "Computing
Krippendorff's Alpha-Reliability" (2011) for the distances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from annotation.agreement.columns import Floats

Level = Literal["nominal", "ordinal", "interval"]
Weighting = Literal["identity", "ordinal", "linear", "quadratic"]


def weight_matrix(weighting: Weighting, values: Sequence[Any]) -> Floats:
    """Agreement of every two values [V, V], from 0 (the farthest apart) to 1 (the same).

    "identity": 0 unless equal; "ordinal": by the number of values between them; "linear" and "quadratic": by their
    (squared) difference, for which they must be numbers.
    """
    if weighting not in get_args(Weighting):
        raise ValueError(f"weighting must be one of {', '.join(get_args(Weighting))}, got {weighting!r}")
    if weighting == "identity" or len(values) < 2:
        return np.eye(len(values))
    if weighting == "ordinal":
        steps_VV = np.abs(np.subtract.outer(np.arange(len(values)), np.arange(len(values))))
        return np.asarray(1 - steps_VV * (steps_VV + 1) / (len(values) * (len(values) - 1)))
    numbers_V = numbers_of(values)
    apart_VV = np.abs(numbers_V[:, None] - numbers_V[None, :]) / np.ptp(numbers_V)
    return np.asarray(1 - (apart_VV if weighting == "linear" else apart_VV**2))


def fixed_distances(level: Level, values: Sequence[Any]) -> Floats | None:
    """Squared distances [V, V]; None for ordinal values, whose distances depend on how often each occurs."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "interval":
        numbers_V = numbers_of(values)
        return np.asarray((numbers_V[:, None] - numbers_V[None, :]) ** 2)
    if level == "ordinal":
        return None
    raise ValueError(f"level must be nominal, ordinal or interval, got {level!r}")


def ordinal_distances(totals_BV: Floats) -> Floats:
    """(judgments from value c to value k, their own counted half) squared [B, V, V]."""
    middles_BV = totals_BV.cumsum(axis=1) - totals_BV / 2
    return np.asarray((middles_BV[:, :, None] - middles_BV[:, None, :]) ** 2)


def numbers_of(values: Sequence[Any]) -> Floats:
    """Values as numbers. Raises ValueError where one is none."""
    return np.array([float(value) for value in values])
