"""What a campaign's pages and REST show: agreement and the work of each annotator. Reads only."""

from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from annotation import agreement
from annotation.agreement import Agreement
from annotation.models import Annotator, Campaign, Judgment


@dataclass(frozen=True, kw_only=True)
class AgreementRow:
    """One coefficient with its name."""

    label: str
    explanation: str
    estimate: Agreement

    def __str__(self) -> str:
        return f"{self.label} {in_words(self.estimate)}"


@dataclass(frozen=True, kw_only=True)
class AnnotatorRow:
    """One annotator's work in a campaign."""

    annotator: Annotator
    is_active: bool
    pause_reason: str
    num_judged: int
    median_seconds: float | None  # of active time; None where none was measured, as for scripted judges
    agreement_with_others: Agreement  # of their pairs of completions with everybody else's


def in_words(estimate: Agreement) -> str:
    """ "0.712 [0.690, 0.731], n = 800", or why there is no value."""
    if estimate.value is None:
        return f"undefined: {estimate.reason}"
    interval = f" [{estimate.interval[0]:.3f}, {estimate.interval[1]:.3f}]" if estimate.interval else ""
    return f"{estimate.value:.3f}{interval}, n = {estimate.n}"


def campaign_agreement(campaign: Campaign) -> list[AgreementRow]:
    """Raw agreement and Krippendorff's alpha over the current judgments; intervals resample comparisons."""
    judgments = [(comparison, tiers) for comparison, _, tiers in _current_tiers(campaign)]
    counts = agreement.count_pairs(judgments)
    return [
        AgreementRow(
            label="Raw agreement",
            explanation="The share of all pairs of judgments that say the same of two completions, ties included.",
            estimate=agreement.raw_agreement(counts),
        ),
        AgreementRow(
            label="Krippendorff's alpha",
            explanation="Nominal, over better, tied and worse: 1 is perfect agreement, 0 is what chance would give.",
            estimate=agreement.krippendorff_alpha(counts, level="nominal"),
        ),
    ]


def annotator_rows(campaign: Campaign) -> list[AnnotatorRow]:
    """Everybody enrolled, people and judges alike, in the order of their enrolment."""
    tiers_of: dict[int, list[tuple[int, list[list[int]]]]] = defaultdict(list)
    by_comparison: dict[int, list[tuple[int, list[list[int]]]]] = defaultdict(list)
    for comparison, annotator, tiers in _current_tiers(campaign):
        tiers_of[annotator].append((comparison, tiers))
        by_comparison[comparison].append((annotator, tiers))
    seconds, counts = _seconds_and_counts(campaign)
    return [
        AnnotatorRow(
            annotator=enrolment.annotator,
            is_active=enrolment.is_active,
            pause_reason=enrolment.pause_reason,
            num_judged=counts[enrolment.annotator_id],
            median_seconds=median(own) if (own := seconds[enrolment.annotator_id]) else None,
            agreement_with_others=_agreement_with_others(
                enrolment.annotator_id, tiers_of[enrolment.annotator_id], by_comparison
            ),
        )
        for enrolment in campaign.enrolments.select_related("annotator").order_by("pk")
    ]


def _current_tiers(campaign: Campaign) -> list[tuple[int, int, list[list[int]]]]:
    """(comparison, annotator, tiers) of each current judgment that gives an order."""
    judgments = Judgment.objects.current().filter(comparison__campaign=campaign).order_by("pk")
    rows = judgments.values_list("comparison_id", "annotator_id", "answer")
    return [(comparison, annotator, answer["tiers"]) for comparison, annotator, answer in rows if answer.get("tiers")]


def _seconds_and_counts(campaign: Campaign) -> tuple[dict[int, list[float]], dict[int, int]]:
    seconds: dict[int, list[float]] = defaultdict(list)
    counts: dict[int, int] = defaultdict(int)
    judgments = Judgment.objects.current().filter(comparison__campaign=campaign)
    for annotator, active_ms in judgments.values_list("annotator_id", "active_ms"):
        counts[annotator] += 1
        if active_ms:
            seconds[annotator].append(active_ms / 1000)
    return seconds, counts


def _agreement_with_others(
    annotator: int,
    own: list[tuple[int, list[list[int]]]],
    by_comparison: dict[int, list[tuple[int, list[list[int]]]]],
) -> Agreement:
    """Raw agreement of this annotator with each other one, over the comparisons that they share."""
    pairs = [
        ((comparison, other), judged)
        for comparison, tiers in own
        for other, others_tiers in by_comparison[comparison]
        if other != annotator
        for judged in (tiers, others_tiers)
    ]
    return agreement.raw_agreement(agreement.count_pairs(pairs))
