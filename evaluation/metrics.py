"""Scores with intervals: win rate, accuracy and mean margin, resampled by prompt.

Several comparisons of one prompt are not independent, so that whole prompts are drawn with replacement (percentile
bootstrap). Shapes: N comparisons, P prompts, B resamples.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NUM_RESAMPLES = 2000
CONFIDENCE = 0.95
WIN, TIE, LOSS = 1.0, 0.5, 0.0

_CHUNK_CELLS = 4_000_000  # resampled indices held at a time


@dataclass(frozen=True, kw_only=True)
class Score:
    """A mean over comparisons. Where `value` or `interval` is None, `reason` says why."""

    value: float | None
    interval: tuple[float, float] | None  # 95 %
    n: int  # comparisons
    num_prompts: int
    ties: int  # comparisons without a winner, which count half in a rate
    reason: str | None = None

    def excludes(self, value: float) -> bool:
        """True if the interval lies wholly above or wholly below `value`."""
        return self.interval is not None and not self.interval[0] <= value <= self.interval[1]


def fold_orders(outcomes: Sequence[float] | Floats, swapped: Sequence[float] | Floats) -> Floats:
    """One outcome [N] for two verdicts on the same pair, the second with the sides swapped.

    Both are WIN, TIE or LOSS for the same model, so that verdicts which follow the side cancel to a tie.
    """
    first_N, second_N = _outcomes(outcomes), _outcomes(swapped)
    if len(first_N) != len(second_N):
        raise ValueError(f"both orders of each comparison are needed, got {len(first_N)} and {len(second_N)}")
    return (first_N + second_N) / 2


def num_flips(outcomes: Sequence[float] | Floats, swapped: Sequence[float] | Floats) -> int:
    """How many comparisons were won in one order and lost in the other."""
    return int(np.sum(np.abs(_outcomes(outcomes) - _outcomes(swapped)) == WIN))


def win_rate(
    outcomes: Sequence[float] | Floats,
    prompts: Sequence[Hashable],
    *,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Score:
    """The mean outcome, from 0 (WIN never) to 1, ties a half; folded outcomes may lie in between."""
    outcomes_N = _outcomes(outcomes)
    return _mean(outcomes_N, prompts, ties=int(np.sum(outcomes_N == TIE)), num_resamples=num_resamples, seed=seed)


def rate(
    values: Sequence[float] | Floats,
    prompts: Sequence[Hashable],
    *,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Score:
    """The mean of values that are 1 where something holds and 0 where it does not."""
    return _mean(_outcomes(values), prompts, ties=0, num_resamples=num_resamples, seed=seed)


def accuracy(
    margins: Sequence[float] | Floats,
    prompts: Sequence[Hashable],
    *,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Score:
    """The share of margins (score of the chosen minus score of the rejected) above 0; a margin of 0 counts half."""
    margins_N = _finite(margins, "margins")
    correct_N = (np.sign(margins_N) + 1) / 2
    return _mean(correct_N, prompts, ties=int(np.sum(margins_N == 0)), num_resamples=num_resamples, seed=seed)


def mean_margin(
    margins: Sequence[float] | Floats,
    prompts: Sequence[Hashable],
    *,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Score:
    """The mean of the margins, in the units of the scores."""
    margins_N = _finite(margins, "margins")
    return _mean(margins_N, prompts, ties=int(np.sum(margins_N == 0)), num_resamples=num_resamples, seed=seed)


def _mean(values_N: Floats, prompts: Sequence[Hashable], *, ties: int, num_resamples: int, seed: int) -> Score:
    if len(values_N) != len(prompts):
        raise ValueError(f"one prompt for each comparison: got {len(values_N)} values and {len(prompts)} prompts")
    if not len(values_N):
        return Score(value=None, interval=None, n=0, num_prompts=0, ties=0, reason="nothing was compared")
    sums_P, counts_P = _by_prompt(values_N, prompts)
    value, n, num_prompts = float(values_N.mean()), len(values_N), len(sums_P)
    if num_prompts < 2:
        reason = "an interval needs two prompts or more"
        return Score(value=value, interval=None, n=n, num_prompts=num_prompts, ties=ties, reason=reason)
    interval = _interval(sums_P, counts_P, num_resamples, np.random.default_rng(seed))
    return Score(value=value, interval=interval, n=n, num_prompts=num_prompts, ties=ties)


def _by_prompt(values_N: Floats, prompts: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """Sum of the values and number of comparisons of each prompt, both [P]."""
    numbers: dict[Hashable, int] = {}
    prompt_N = np.array([numbers.setdefault(prompt, len(numbers)) for prompt in prompts])
    sums_P = np.bincount(prompt_N, weights=values_N).astype(np.float64)
    return sums_P, np.bincount(prompt_N).astype(np.float64)


def _interval(sums_P: Floats, counts_P: Floats, num_resamples: int, rng: np.random.Generator) -> tuple[float, float]:
    num_prompts = len(sums_P)
    rows = max(1, _CHUNK_CELLS // num_prompts)
    means = []
    for start in range(0, num_resamples, rows):
        drawn_BP = rng.integers(num_prompts, size=(min(rows, num_resamples - start), num_prompts))
        means.append(sums_P[drawn_BP].sum(axis=1) / counts_P[drawn_BP].sum(axis=1))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def _outcomes(outcomes: Sequence[float] | Floats) -> Floats:
    outcomes_N = _finite(outcomes, "outcomes")
    if np.any((outcomes_N < LOSS) | (outcomes_N > WIN)):
        raise ValueError("outcomes must lie in 0 (loss) to 1 (win)")
    return outcomes_N


def _finite(values: Sequence[float] | Floats, name: str) -> Floats:
    values_N = np.asarray(values, dtype=np.float64)
    if not np.all(np.isfinite(values_N)):
        raise ValueError(f"{name} must be finite numbers, got {int(np.sum(~np.isfinite(values_N)))} that are not")
    return values_N
