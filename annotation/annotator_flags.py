"""What about an annotator's work deserves a look, in words. Pure: a flag is a hint for a person, not a verdict.

Many annotators are tested at once, so that a flag needs a deviation that even the unluckiest of so many would show once
in a hundred campaigns only (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annotation.annotator_report import AnnotatorWork
    from annotation.quality import Share

ALPHA = 0.01  # of any false flag of a kind in a campaign in which nobody deviates
SMALLEST_BIAS = 0.1  # away from the expected share; less does no harm that anybody would act on
FAST = 1 / 3  # of the campaign's typical time
MOST_CONTRADICTED = 0.25  # of strict preferences turned round on repeats
MOST_SKIPPED = 0.2
FEWEST_GOLD_RIGHT = 0.6

POSITION_BIAS, LENGTH_BIAS, SPEED, SELF_CONSISTENCY = "position_bias", "length_bias", "speed", "self_consistency"
OUTLIER, DRIFT, SKIPS, GOLD = "outlier", "drift", "skips", "gold_misses"


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One finding."""

    kind: str
    words: str  # a sentence without a subject: "chose the left reply in 71 % of 120 preferences"


@dataclass(frozen=True, kw_only=True)
class Standards:
    """What the campaign as a whole does, against which one annotator is held."""

    num_annotators: int
    seconds: float | None  # median of the annotators' median active times
    longer: float | None  # share of preferences for the longer reply

    @classmethod
    def of(cls, works: Iterable[AnnotatorWork]) -> Standards:
        """From everybody's work."""
        rows = list(works)
        seconds = [work.active.value for work in rows if work.active.value is not None]
        longer = [(work.longer.value, work.longer.n) for work in rows if work.longer.value is not None]
        num_longer = sum(n for _, n in longer)
        return cls(
            num_annotators=max(1, len(rows)),
            seconds=median(seconds) if seconds else None,
            longer=sum(value * n for value, n in longer) / num_longer if num_longer else None,
        )


def flags_of(work: AnnotatorWork, standards: Standards) -> list[Flag]:
    """All findings about one annotator, the gravest first."""
    found = [
        _gold(work),
        _outlier(work),
        _position(work, standards),
        _self_consistency(work),
        _speed(work, standards),
        _length(work, standards),
        _drift(work, standards),
        _skips(work),
    ]
    return [flag for flag in found if flag is not None]


def deviates(share: Share, expected: float, num_annotators: int) -> bool:
    """Whether a share is further from the expected one than chance brings about among so many annotators."""
    if share.value is None or not 0 < expected < 1 or abs(share.value - expected) < SMALLEST_BIAS:
        return False
    z = abs(share.value - expected) / math.sqrt(expected * (1 - expected) / share.n)
    return z > NormalDist().inv_cdf(1 - ALPHA / num_annotators / 2)


def _percent(value: float | None) -> str:
    return f"{(value or 0.0) * 100:.0f}\N{NO-BREAK SPACE}%"


def _gold(work: AnnotatorWork) -> Flag | None:
    if work.gold.interval is None or work.gold.value is None or work.gold.interval[1] >= FEWEST_GOLD_RIGHT:
        return None
    right = round(work.gold.value * work.gold.n)
    return Flag(kind=GOLD, words=f"got {right} of {work.gold.n} tasks with a known answer right")


def _outlier(work: AnnotatorWork) -> Flag | None:
    if work.outlier is None or work.outlier.verdict != "pause":
        return None
    evidence = work.outlier.evidence
    whole = work.agreement_with_consensus.interval
    if whole is None or whole[1] >= evidence.required:  # a stretch was bad enough; all together is not
        return None
    words = (
        f"agrees with the others' consensus in {_percent(work.outlier.mean)} of {evidence.n} judgments; guessing gives "
        f"{_percent(evidence.chance)}, half-way from there to everybody's mean is {_percent(evidence.required)}"
    )
    return Flag(kind=OUTLIER, words=words)


def _position(work: AnnotatorWork, standards: Standards) -> Flag | None:
    if work.left.value is None or not deviates(work.left, 0.5, standards.num_annotators):
        return None
    return Flag(
        kind=POSITION_BIAS, words=f"chose the left reply in {_percent(work.left.value)} of {work.left.n} preferences"
    )


def _self_consistency(work: AnnotatorWork) -> Flag | None:
    turned = work.contradicted
    if turned.value is None or turned.interval is None or turned.interval[0] <= MOST_CONTRADICTED:
        return None
    words = f"turned {_percent(turned.value)} of {turned.n} preferences round when the same task came back swapped"
    return Flag(kind=SELF_CONSISTENCY, words=words)


def _speed(work: AnnotatorWork, standards: Standards) -> Flag | None:
    own = work.active
    if own.interval is None or standards.seconds is None or own.interval[1] >= FAST * standards.seconds:
        return None
    words = f"takes {own.value:.1f} s a judgment where {standards.seconds:.1f} s are typical here"
    return Flag(kind=SPEED, words=words)


def _length(work: AnnotatorWork, standards: Standards) -> Flag | None:
    if work.longer.value is None or standards.longer is None:
        return None
    if work.longer.value < standards.longer or not deviates(work.longer, standards.longer, standards.num_annotators):
        return None
    words = f"prefers the longer reply in {_percent(work.longer.value)} of {work.longer.n}"
    return Flag(kind=LENGTH_BIAS, words=f"{words}, everybody in {_percent(standards.longer)}")


def _drift(work: AnnotatorWork, standards: Standards) -> Flag | None:
    change = work.drift
    if change is None or change.p_value is None or change.before is None or change.after is None:
        return None
    if change.p_value * standards.num_annotators >= ALPHA or change.before.value is None or change.after.value is None:
        return None
    words = (
        f"agreed with the consensus in {_percent(change.before.value)} of the first {change.before.n} judgments and in "
    )
    return Flag(kind=DRIFT, words=f"{words}{_percent(change.after.value)} of the {change.after.n} since")


def _skips(work: AnnotatorWork) -> Flag | None:
    if work.skipped.value is None or work.skipped.interval is None or work.skipped.interval[0] <= MOST_SKIPPED:
        return None
    return Flag(kind=SKIPS, words=f"skips {_percent(work.skipped.value)} of {work.skipped.n} tasks")
