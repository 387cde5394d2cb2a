"""How well each annotator works, people and judges alike: pure functions of columns, one row for each judgment.

What there is: agreement with the consensus of the others and with gold (`consensus`), the side that was shown left
and the longer reply (`bias`), time and skips (`effort`), repeats with swapped sides (`repeats`), change over time
(`drift`), a sequential test that may pause somebody (`outliers`), and published figures beside them (`ceilings`).

Values are those of `annotation.agreement`: -1, 0, 1 for the completion with the lower index, whatever was shown where.
Every rate is a `Share` with an interval, or with the reason why there is none. docs/explanation/annotator-quality.md
says what each is good for.
"""

from annotation.quality.bias import LongerWins, left_wins, longer_wins, longer_wins_baseline, sign_of_longer
from annotation.quality.ceilings import PUBLISHED, PublishedFigure
from annotation.quality.consensus import (
    AnnotatorAgreement,
    Credits,
    agreement_with_consensus,
    agreement_with_gold,
    consensus_credits,
)
from annotation.quality.drift import Drift, Window, drift
from annotation.quality.effort import Median, median_seconds, skip_rates
from annotation.quality.outliers import Evidence, OutlierTest, Verdict, outlier_tests
from annotation.quality.repeats import SelfConsistency, self_consistency
from annotation.quality.shares import Share, share, shares_by

__all__ = [
    "PUBLISHED",
    "AnnotatorAgreement",
    "Credits",
    "Drift",
    "Evidence",
    "LongerWins",
    "Median",
    "OutlierTest",
    "PublishedFigure",
    "SelfConsistency",
    "Share",
    "Verdict",
    "Window",
    "agreement_with_consensus",
    "agreement_with_gold",
    "consensus_credits",
    "drift",
    "left_wins",
    "longer_wins",
    "longer_wins_baseline",
    "median_seconds",
    "outlier_tests",
    "self_consistency",
    "share",
    "shares_by",
    "sign_of_longer",
    "skip_rates",
]
