"""A judge's report as the rows of tables, and as the numbers behind its figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from annotation.agreement import Agreement
from annotation.judge_report import JudgeReport
from annotation.quality import Share

Figure = Agreement | Share


@dataclass(frozen=True, kw_only=True)
class AgreementLine:
    """One measure of the judge, of people and of the rule "the longer one wins"."""

    label: str
    title: str
    judge: Figure
    people: Figure
    longer: Figure | None
    is_percent: bool


@dataclass(frozen=True, kw_only=True)
class BiasLine:
    """What the judge follows besides quality, and how people do."""

    label: str
    title: str
    judge: Figure
    people: Figure | None = None
    difference: Figure | None = None


MEASURES = (
    ("raw", "Raw agreement", "Pairs of judgments that say the same; a tie is a third answer", True),
    ("without_ties", "Without ties", "Likewise, of the pairs that are both strict preferences", True),
    ("with_consensus", "With the consensus", "The most frequent answer of all people but one", True),
    ("kappa", "Kappa", "Cohen’s; of people with each other Fleiss’", False),
    ("alpha", "Krippendorff’s alpha", "Nominal", False),
    ("ac1", "Gwet’s AC1", "Steady where nearly all judgments are the same", False),
)


def agreement_rows(report: JudgeReport) -> list[AgreementLine]:
    """All three against the same votes of people."""
    found = report.agreement
    return [
        AgreementLine(
            label=label,
            title=title,
            judge=getattr(found.judge, name),
            people=getattr(found.people, name),
            longer=getattr(found.longer, name) if found.longer else None,
            is_percent=is_percent,
        )
        for name, label, title, is_percent in MEASURES
    ]


def bias_rows(report: JudgeReport) -> list[BiasLine]:
    """Flips and preferences."""
    traits = (
        ("Prefers the longer reply", "Of strict preferences between replies of different length", report.length),
        ("Prefers more list items", "Of strict preferences between replies with more and fewer", report.lists),
        (
            f"Prefers its own family ({report.family})" if report.family else "Prefers its own family",
            "Replies by models whose name begins as the judge’s does, against others",
            report.own_family,
        ),
    )
    return [
        BiasLine(
            label="Order changes the verdict", title="A tie against a preference too", judge=report.flips.disagreeing
        ),
        BiasLine(label="Order reverses the verdict", title="Of those strict both times", judge=report.flips.reversed),
        BiasLine(
            label="… for whatever stands first",
            title="Of the reversed ones",
            judge=report.flips.first_place_twice,
        ),
        BiasLine(label="Prefers what is shown first", title="A half without a bias", judge=report.position),
        *(
            BiasLine(label=label, title=title, judge=found.judge, people=found.people, difference=found.difference)
            for label, title, found in traits
        ),
    ]


def figures_of(report: JudgeReport) -> dict[str, Any]:
    """Reliability and routing, as calibration.js draws them."""
    return {
        "reliability": [
            {
                "label": row.mean_label,
                "outcome": row.outcome.value,
                "interval": row.outcome.interval,
                "n": row.outcome.n,
            }
            for row in report.reliability.rows
            if row.outcome.n
        ],
        "routing": [
            {
                "margin": point.min_margin,
                "kept": point.kept.value,
                "judge": point.judge_agreement.value,
                "interval": point.judge_agreement.interval,
                "expected": point.expected_agreement,
                "n": point.judge_agreement.n,
            }
            for point in report.curve
        ],
        "people": report.agreement.people.raw.value,
    }
