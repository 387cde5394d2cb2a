"""Rows of one prompt are not independent: sums and intervals over whole prompts, or whatever else the groups are.

Shapes: J rows, U units, G groups, D numbers of a row.

Source: L. Kish, "Survey Sampling" (1965), for the design effect.
"""

from __future__ import annotations

import numpy as np

from annotation.agreement import coded
from annotation.agreement.columns import Column, Floats
from annotation.agreement.intervals import Rows
from annotation.quality import Share, share


def clustered_share(values_J: Column, groups_J: Column | None, *, nothing: str) -> Share:
    """The mean of values in 0 … 1 with Wilson's interval for as many independent observations as the rows are worth.

    That number is n over the design effect: the variance of the mean over whole groups divided by the variance that
    independent rows would have. Where all values are equal, groups count as one observation each.
    """
    values = np.asarray(values_J, dtype=np.float64)
    n = len(values)
    if groups_J is None or not n:
        return share(float(values.sum()), n, nothing=nothing)
    _, codes_J = coded(groups_J)
    num_groups = int(codes_J.max()) + 1
    mean = float(values.mean())
    residuals_G = np.bincount(codes_J, weights=values - mean, minlength=num_groups)
    variance = num_groups / max(1, num_groups - 1) * float((residuals_G**2).sum()) / n**2
    if num_groups == 1 or values.min() == values.max():
        independent = float(num_groups)
    else:
        independent = min(float(n), mean * (1 - mean) / max(variance, 1e-12))
    return share(float(values.sum()), n, num_independent=max(1.0, independent), nothing=nothing)


def clustered_rows(rows_UD: Floats, groups_U: Column | None) -> Rows:
    """The sum of the rows of each group, to be drawn as a whole; without groups each row is drawn by itself."""
    if groups_U is None or not len(rows_UD):
        return Rows(rows_KD=np.asarray(rows_UD, dtype=np.float64), frequency_K=np.ones(len(rows_UD), dtype=np.int64))
    _, codes_U = coded(groups_U)
    size = int(codes_U.max()) + 1
    sums = [np.bincount(codes_U, weights=column, minlength=size) for column in rows_UD.T]
    return Rows(rows_KD=np.stack(sums, axis=1).astype(np.float64), frequency_K=np.ones(size, dtype=np.int64))
