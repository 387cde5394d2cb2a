"""Agreement of rankings with ties: Kendall's W and tau-b, averaged over comparisons.

Shapes: J rankings (one annotator's of one comparison), K completions, G comparisons, M rankings of one comparison.

`ranks_JK` holds ranks or tier numbers (smaller is better, NaN where a completion was not ranked): only their order
counts. `ranks_of_tiers` makes it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from annotation.agreement.columns import Column, Floats, coded, pairs_of
from annotation.agreement.intervals import NUM_RESAMPLES, Agreement, Rows, estimate, ratio

_CHUNK_CELLS = 4_000_000


def kendall_w(
    comparisons: Column, ranks_JK: NDArray[np.float64], *, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> Agreement:
    """Kendall's coefficient of concordance with the correction for ties, the mean over comparisons: 1 the same order.

    W = 12 S / (M² (K³ - K) - M · sum of (t³ - t)) with S the squared deviations of the rank sums and t the sizes of
    tiers. Of each comparison those completions count that all its annotators ranked. A comparison without two
    annotators and two such completions does not count, nor does one in which everybody tied everything.

    Source: M. G. Kendall and B. Babington Smith, "The problem of m rankings" (Annals of Mathematical Statistics 10,
    1939); S. Siegel and N. J. Castellan, "Nonparametric Statistics" (1988), chapter 9.
    """
    rows = [_concordance(block_GMK) for block_GMK in _blocks(comparisons, ranks_JK)]
    return _mean(rows, num_resamples=num_resamples, seed=seed)


def kendall_tau_b(
    comparisons: Column, ranks_JK: NDArray[np.float64], *, num_resamples: int = NUM_RESAMPLES, seed: int = 0
) -> Agreement:
    """Kendall's tau-b of every two annotators of a comparison: their mean, then the mean over comparisons.

    tau-b = (concordant - discordant) / sqrt(pairs not tied by one · pairs not tied by the other), over the completions
    that both ranked. Two annotators of whom one tied everything have no tau-b and do not count.

    Source: M. G. Kendall, "The treatment of ties in ranking problems" (Biometrika 33, 1945).
    """
    rows = [_rank_correlation(block_GMK) for block_GMK in _blocks(comparisons, ranks_JK)]
    return _mean(rows, num_resamples=num_resamples, seed=seed)


def _mean(rows: list[tuple[Floats, int]], *, num_resamples: int, seed: int) -> Agreement:
    """The mean of the comparisons' values that are numbers."""
    values_G = np.concatenate([np.zeros(0), *(values for values, _ in rows)])
    is_defined_G = ~np.isnan(values_G)
    num_judgments = sum(num_rankings * int((~np.isnan(values)).sum()) for values, num_rankings in rows)
    rows_KD = np.stack([np.where(is_defined_G, values_G, 0.0), is_defined_G], axis=1)
    known_KD, kind_G = np.unique(rows_KD, axis=0, return_inverse=True)
    return estimate(
        lambda sums_BD: ratio(sums_BD[:, 0], sums_BD[:, 1]),
        Rows(rows_KD=known_KD, frequency_K=np.bincount(kind_G.ravel(), minlength=len(known_KD))),
        n=int(is_defined_G.sum()) or len(values_G),
        num_judgments=num_judgments,
        num_resamples=num_resamples,
        seed=seed,
        undefined="no comparison has two annotators who each put completions in an order",
    )


def _blocks(comparisons: Column, ranks: NDArray[np.float64]) -> Iterator[Floats]:
    """Comparisons with two rankings or more as blocks [G, M, K], all of one M together, in chunks."""
    ranks_JK = np.asarray(ranks, dtype=np.float64)
    if ranks_JK.ndim != 2 or len(ranks_JK) != len(comparisons):
        raise ValueError(f"one row of ranks for each of {len(comparisons)} rankings, got the shape {ranks_JK.shape}")
    _, groups_J = coded(comparisons)
    order_J = np.argsort(groups_J, kind="stable")
    sizes_G = np.bincount(groups_J)
    starts_G = np.cumsum(sizes_G) - sizes_G
    for size in np.unique(sizes_G[sizes_G >= 2]).tolist():
        starts = starts_G[sizes_G == size]
        step = max(1, _CHUNK_CELLS // (size * size * max(1, ranks_JK.shape[1]) ** 2))
        for begin in range(0, len(starts), step):
            yield ranks_JK[order_J[starts[begin : begin + step, None] + np.arange(size)]]


def _concordance(ranks_GMK: Floats) -> tuple[Floats, int]:
    """W of each comparison [G], NaN where undefined, and M."""
    num_rankings = ranks_GMK.shape[1]
    is_counted_GK = np.isfinite(ranks_GMK.sum(axis=1))
    ranks_GMK = np.where(is_counted_GK[:, None, :], ranks_GMK, np.nan)
    below_GMKK = ranks_GMK[:, :, :, None] > ranks_GMK[:, :, None, :]
    level_GMKK = ranks_GMK[:, :, :, None] == ranks_GMK[:, :, None, :]
    midranks_GMK = below_GMKK.sum(axis=3) + (level_GMKK.sum(axis=3) + 1) / 2
    num_K_G = is_counted_GK.sum(axis=1)
    sums_GK = np.where(is_counted_GK, midranks_GMK.sum(axis=1), 0.0)
    mean_G = sums_GK.sum(axis=1) / np.maximum(num_K_G, 1)
    deviations_G = (np.where(is_counted_GK, sums_GK - mean_G[:, None], 0.0) ** 2).sum(axis=1)
    ties_G = (level_GMKK.sum(axis=3) ** 2 - 1).clip(min=0).sum(axis=(1, 2))  # sum of t³ - t, a tier's t completions
    largest_G = num_rankings**2 * (num_K_G**3 - num_K_G) - num_rankings * ties_G
    return ratio(12 * deviations_G, largest_G.astype(np.float64)), num_rankings


def _rank_correlation(ranks_GMK: Floats) -> tuple[Floats, int]:
    """The mean tau-b of every two rankings of each comparison [G], NaN where none is defined, and M."""
    firsts, seconds = pairs_of(ranks_GMK.shape[2])
    signs_GMP = np.sign(ranks_GMK[:, :, seconds] - ranks_GMK[:, :, firsts])  # NaN where one was not ranked
    is_there_GMP = (~np.isnan(signs_GMP)).astype(np.float64)
    signs_GMP = np.nan_to_num(signs_GMP)
    agreed_GMM = signs_GMP @ signs_GMP.transpose(0, 2, 1)
    untied_GMM = signs_GMP**2 @ is_there_GMP.transpose(0, 2, 1)  # pairs that the first did not tie, both ranked
    tau_GMM = ratio(agreed_GMM, np.sqrt(untied_GMM * untied_GMM.transpose(0, 2, 1)))
    left, right = np.triu_indices(ranks_GMK.shape[1], 1)
    tau_GQ = tau_GMM[:, left, right]
    is_defined_GQ = ~np.isnan(tau_GQ)
    return ratio(np.nansum(tau_GQ, axis=1), is_defined_GQ.sum(axis=1).astype(np.float64)), ranks_GMK.shape[1]
