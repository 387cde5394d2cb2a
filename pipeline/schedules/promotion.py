"""Whether a candidate takes the current model's place. Pure: figures in, a verdict with its reason out.

The margin is the candidate's win rate above one half, so that 0 means "as often won as lost".
"""

from __future__ import annotations

from dataclasses import dataclass

HALF = 0.5  # the win rate of a model against its equal
ROUNDING = 1e-9  # of floating-point sums: 0.6 is no less than 0.5 + 0.1


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the comparison came to."""

    win_rate: float  # ties count a half
    low: float  # 95 % interval, resampled by prompt
    high: float
    num_prompts: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The decision and why."""

    is_better: bool
    words: str


def decide(figures: Figures, *, min_margin: float, min_prompts: int) -> Verdict:
    """Better is: compared on enough prompts, the whole interval of the margin above 0, the margin itself large enough.

    `min_margin` is a share from 0 to 0.5. An interval that touches 0 does not exclude it.
    """
    found = f"won {percent(figures.win_rate)}, a margin of {in_words(figures)}, on {figures.num_prompts} prompts"
    if figures.num_prompts < min_prompts:
        return _kept(f"The candidate {found}: too few to decide, this schedule asks for {min_prompts}.")
    if figures.high < HALF:
        return _kept(f"The candidate {found}: it is worse.")
    if figures.low <= HALF:
        return _kept(f"The candidate {found}: the interval includes zero, so that chance may explain it.")
    if figures.win_rate < HALF + min_margin - ROUNDING:
        wanted = f"{100 * min_margin:g}"
        return _kept(
            f"The candidate {found}: better, but by less than the {wanted} points that this schedule asks for."
        )
    return Verdict(is_better=True, words=f"The candidate {found}: the interval excludes zero, so it is better.")


def in_words(figures: Figures) -> str:
    """ "+6.2 points (95 % interval +1.0 to +11.4)"."""
    margin, low, high = (points(value - HALF) for value in (figures.win_rate, figures.low, figures.high))
    return f"{margin} points (95 % interval {low} to {high})"


def points(share: float) -> str:
    """0.062 as "+6.2", with a real minus sign; what rounds to nothing has no sign."""
    rounded = round(100 * share, 1)
    return f"{rounded:+.1f}".replace("-", "−") if rounded else "0.0"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _kept(words: str) -> Verdict:
    return Verdict(is_better=False, words=words)
