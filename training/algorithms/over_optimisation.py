"""Over-optimisation: the reward model's score rises while a reward model that was not trained against stays flat.

Both score the same samples of held-out prompts at each evaluation. Scores have no unit: they are counted in standard
deviations between samples at the first evaluation. No torch here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MIN_RISE: Final = 0.2  # standard deviations that the score has surely risen over the window
MIN_SHARE: Final = 0.25  # of that rise, which the held-out judge sees too where nothing is wrong
# 95 % quantiles of Student's t, one-sided, from 1 degree of freedom on.
T_95: Final = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812)
MIN_WINDOW: Final = 4
MAX_WINDOW: Final = len(T_95) + 2


@dataclass(frozen=True, kw_only=True)
class Trend:
    """A least-squares line through equally spaced values: its change from the first to the last of them."""

    change: float
    error: float  # half-width of its one-sided 95 % bounds, from the scatter about the line

    @property
    def low(self) -> float:
        return self.change - self.error

    @property
    def high(self) -> float:
        return self.change + self.error


def trend(values: Sequence[float]) -> Trend:
    """The line through 3 to `MAX_WINDOW` values.

    Slope b = Σ(x − x̄)y / S with S = Σ(x − x̄)² = n(n² − 1)/12, standard error sqrt(Σ residuals² / (n − 2) / S).
    """
    n = len(values)
    places = [place - (n - 1) / 2 for place in range(n)]
    spread = n * (n * n - 1) / 12
    mean = sum(values) / n
    slope = sum(place * value for place, value in zip(places, values, strict=True)) / spread
    residuals = [value - mean - slope * place for place, value in zip(places, values, strict=True)]
    error = math.sqrt(sum(residual**2 for residual in residuals) / (n - 2) / spread)
    return Trend(change=slope * (n - 1), error=T_95[n - 3] * error * (n - 1))


def is_over_optimised(scores: Sequence[float], judgements: Sequence[float]) -> bool:
    """Whether the score has surely risen, and the judge surely by less than `MIN_SHARE` of that.

    `scores` and `judgements` belong to the same evaluations, in standard deviations. "Surely" is a one-sided bound of
    95 % on the trend over all of them: one high or low value in the row decides nothing.
    """
    lag = trend([judged - MIN_SHARE * score for score, judged in zip(scores, judgements, strict=True)])
    return trend(scores).low >= MIN_RISE and lag.high < 0


def alert_of(values: Mapping[str, float], numbers: dict[str, float], *, window: int) -> str | None:
    """What an evaluation says, as a sentence, the first time that its `window` is over-optimised; else None.

    `numbers` is the run's state, changed in place: the first evaluation's deviations and the last `window` scores.
    """
    if "held_out_judge_deviation" not in values:
        return None
    scores = _remembered("score", values["held_out_score"], values["held_out_score_deviation"], numbers, window)
    judge, deviation = values["held_out_judge_score"], values["held_out_judge_deviation"]
    judgements = _remembered("judge_score", judge, deviation, numbers, window)
    if len(scores) < window or "saw_over_optimisation" in numbers or not is_over_optimised(scores, judgements):
        return None
    numbers["saw_over_optimisation"] = 1.0
    risen, followed = trend(scores), trend(judgements)
    return (
        f"Over-optimisation: over the last {window} evaluations the reward model's score rose by {risen.change:.2f} "
        f"standard deviations (at least {risen.low:.2f}), the held-out judge's by {followed.change:.2f} (at most "
        f"{followed.high:.2f}). Read the samples, take an earlier checkpoint, raise beta, or mend the reward model."
    )


def _remembered(name: str, value: float, deviation: float, numbers: dict[str, float], window: int) -> list[float]:
    """The last `window` values of this name in first deviations, this one included."""
    unit = numbers.setdefault(f"first_{name}_deviation", deviation) or 1.0
    last = [numbers[key] for key in (f"evaluated_{name}_{place}" for place in range(window)) if key in numbers]
    last = [*last, value / unit][-window:]
    numbers.update({f"evaluated_{name}_{place}": one for place, one in enumerate(last)})
    return last
