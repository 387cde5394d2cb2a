"""What a campaign's dashboard shows: agreement and its course, annotators, confusion, the hardest items, guidelines.

Everything comes from columns (`annotation.columns`) and is kept in Django's cache until there are newer judgments. Even
then it is computed anew only after a while that is long against the time that it takes, so that an open page costs
little, however many judgments there are.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.core.cache import cache
from django.db import connection

from annotation import agreement, quality
from annotation.agreement import Agreement
from annotation.annotator_report import AnnotatorWork, Material, annotator_work, gold_misses, longer_of
from annotation.columns import JudgmentColumns, agreement_columns, read_comparisons, read_judgments
from annotation.models import Campaign
from annotation.quality.bias import LongerWins
from annotation.question import Question

KEPT_SECONDS = 24 * 3600
REST = 20  # a dashboard that took a second is not computed again for so many seconds
FAST_SECONDS = 0.5  # what is computed faster is always up to date
NUM_WINDOWS = 24  # points of agreement over time
NUM_HARDEST = 200
NUM_IN_MATRIX = 30  # annotators with most judgments
FEWEST_IN_WINDOW = 20  # comparisons


@dataclass(frozen=True, kw_only=True)
class AgreementRow:
    """One coefficient with its name."""

    label: str
    explanation: str
    estimate: Agreement

    def __str__(self) -> str:
        return f"{self.label} {in_words(self.estimate)}"


@dataclass(frozen=True, kw_only=True)
class Window:
    """Raw agreement of comparisons that were completed one after another."""

    first_at: float  # seconds since 1970
    last_at: float
    estimate: Agreement


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A table with names of its rows and columns; cells are None where there is nothing."""

    names: list[str]
    cells: list[list[float | None]]
    counts: list[list[int]]


@dataclass(frozen=True, kw_only=True)
class HardItem:
    """A comparison about which annotators disagree."""

    comparison: int
    num_judgments: int
    votes: dict[str, int]  # of pairs: "first", "tied", "second"; empty for rankings
    disagreement: float  # share of the pairs of judgments that differ
    entropy: float  # bits, of the smoothed shares of the answers


@dataclass(frozen=True, kw_only=True)
class VersionRow:
    """Judgments given under one version of the guidelines."""

    number: int
    num_judgments: int
    first_at: float
    last_at: float
    estimate: Agreement  # among judgments under this version


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """The numbers of a campaign, free of database rows."""

    coefficients: list[AgreementRow]
    windows: list[Window]
    annotators: dict[int, AnnotatorWork]
    matrix: Matrix  # raw agreement of every two annotators; names are ids
    kappa_matrix: Matrix
    confusion: Matrix
    hardest: list[HardItem]
    versions: list[VersionRow]
    longer: LongerWins | None  # of pairs only
    gold_misses: dict[int, tuple[int, int]]
    num_judgments: int  # main ones
    num_ties: int
    num_without_opinion: int
    active_seconds: float
    num_timed: int  # judgments whose active time was measured
    seconds: float  # to compute this


def in_words(estimate: Agreement) -> str:
    """ "0.712 [0.690, 0.731], n = 800", or why there is no value."""
    if estimate.value is None:
        return f"undefined: {estimate.reason}"
    interval = f" [{estimate.interval[0]:.3f}, {estimate.interval[1]:.3f}]" if estimate.interval else ""
    return f"{estimate.value:.3f}{interval}, n = {estimate.n}"


def dashboard(campaign: Campaign) -> Dashboard:
    """The campaign's numbers, computed if there are newer judgments and the last computation is long enough ago."""
    key = f"annotation.dashboard.{campaign.pk}"
    kept = cache.get(key)
    if kept is not None and time.time() < kept[1]:
        found: Dashboard = kept[2]
        return found
    newest = newest_judgment(campaign)
    found = kept[2] if kept is not None and kept[0] == newest else compute(campaign)
    rest = REST * found.seconds if found.seconds > FAST_SECONDS else 0.0
    cache.set(key, (newest, time.time() + rest, found), KEPT_SECONDS)
    return found


def newest_judgment(campaign: Campaign) -> tuple[Any, ...]:
    """What changes when a judgment comes, is revised or withdrawn, or a gold answer or a skip changes."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT max(judgment.id), count(*) FROM annotation_judgment AS judgment
            JOIN annotation_comparison AS comparison ON comparison.id = judgment.comparison_id
            WHERE comparison.campaign_id = %s AND judgment.is_current
            """,
            [campaign.pk],
        )
        judged = tuple(cursor.fetchone())
    gold = tuple(campaign.comparisons.filter(gold__isnull=False).order_by("pk").values_list("pk", flat=True))
    return (*judged, campaign.skips.count(), hash(gold), campaign.question_version)


def read_material(campaign: Campaign) -> Material:
    """All that the numbers are made of, in a handful of statements."""
    question = Question.from_json(campaign.question)
    gold = campaign.comparisons.filter(gold__isnull=False).values_list("pk", "gold")
    return Material(
        judgments=read_judgments(campaign),
        comparisons=read_comparisons(campaign),
        num_completions=question.num_completions,
        domain=_domain(question),
        gold=dict(gold),
        skipped_by=np.array(list(campaign.skips.values_list("annotator", flat=True)), dtype=np.int64),
    )


def compute(campaign: Campaign) -> Dashboard:
    """The numbers, fresh."""
    started = time.perf_counter()
    question, material = Question.from_json(campaign.question), read_material(campaign)
    main = material.main
    signs = agreement_columns(main, material.num_completions, material.domain)
    counts = agreement.count_columns(signs)
    pairs = agreement.pairwise_agreement(signs)
    works = annotator_work(material, signs, pairs)
    busiest = sorted(works, key=lambda pk: -works[pk].num_judged)[:NUM_IN_MATRIX]
    is_tie_J = np.array([_is_tie(said.tiers) for said in main.said], dtype=bool)[main.said_J]
    return Dashboard(
        coefficients=coefficients(question, main, signs, counts),
        windows=_windows(main, signs, counts),
        annotators=works,
        matrix=_matrix(pairs, busiest, pairs.raw_Q),
        kappa_matrix=_matrix(pairs, busiest, pairs.kappa_Q),
        confusion=_confusion(question, main, signs, counts),
        hardest=_hardest(material, signs, counts),
        versions=_versions(material, main),
        longer=_longer(material, signs),
        gold_misses=gold_misses(material),
        num_judgments=len(main),
        num_ties=int(is_tie_J.sum()),
        num_without_opinion=int((~main.has_order).sum()),
        active_seconds=float(main.active_ms_J.sum()) / 1000,
        num_timed=int((main.active_ms_J > 0).sum()),
        seconds=time.perf_counter() - started,
    )


def coefficients(
    question: Question, main: JudgmentColumns, signs: agreement.Columns, counts: agreement.ValueCounts
) -> list[AgreementRow]:
    """What suits the question: raw and alpha first; intervals resample comparisons."""
    unit = "two completions" if question.num_completions > 1 else "a reply"
    said = "better, tied and worse" if question.num_completions > 1 else "the points"
    rows = [
        AgreementRow(
            label="Raw agreement",
            explanation=f"The share of all pairs of judgments that say the same of {unit}, ties included.",
            estimate=agreement.raw_agreement(counts),
        ),
        AgreementRow(
            label="Krippendorff's alpha",
            explanation=f"Nominal, over {said}: 1 is perfect agreement, 0 is what chance would give.",
            estimate=agreement.krippendorff_alpha(counts, level="nominal"),
        ),
        AgreementRow(
            label="Gwet's AC1",
            explanation="Beyond chance too, but steady where nearly all judgments are the same.",
            estimate=agreement.gwet_ac(counts),
        ),
        AgreementRow(
            label="Fleiss' kappa",
            explanation="Beyond chance; each comparison counts once, however often it was judged.",
            estimate=agreement.fleiss_kappa(counts),
        ),
    ]
    return rows + _graded(question, main, counts)


def _graded(question: Question, main: JudgmentColumns, counts: agreement.ValueCounts) -> list[AgreementRow]:
    """Coefficients for answers that are more or less far apart."""
    if question.num_completions == 1 or (question.num_completions == 2 and question.num_strengths == 1):
        if question.num_completions == 2:
            return []
        return [_ordinal("points", counts)]
    if question.num_completions == 2:
        steps = tuple(range(-question.num_strengths, question.num_strengths + 1))
        return [_ordinal("strengths", agreement.count_columns(agreement_columns(main, 2, steps)))]
    return []


def _ordinal(what: str, counts: agreement.ValueCounts) -> AgreementRow:
    return AgreementRow(
        label=f"Krippendorff's alpha of {what}",
        explanation=f"Ordinal: {what} that lie near each other disagree less.",
        estimate=agreement.krippendorff_alpha(counts, level="ordinal"),
    )


def _domain(question: Question) -> tuple[int, ...]:
    if question.num_completions == 1:
        return tuple(range(1, max(2, question.rating_points) + 1))
    return (-1, 0, 1)


def _is_tie(tiers: Any) -> bool:
    return tiers is not None and len(tiers) == 1 and len(tiers[0]) > 1


def _windows(main: JudgmentColumns, signs: agreement.Columns, counts: agreement.ValueCounts) -> list[Window]:
    """Raw agreement of comparisons in the order in which they were completed."""
    if not len(main):
        return []
    last_G = np.zeros(len(signs.comparisons))
    kept = main.where(main.has_order)
    np.maximum.at(last_G, np.searchsorted(signs.comparisons, kept.comparisons_J), kept.created_at_J)
    twice_G = np.bincount(counts.groups_U, weights=counts.counts_UV.sum(axis=1) >= 2, minlength=len(last_G)) > 0
    order_G = np.flatnonzero(twice_G)[np.argsort(last_G[twice_G], kind="stable")]
    num_windows = max(1, min(NUM_WINDOWS, len(order_G) // FEWEST_IN_WINDOW))
    return [_window(part, last_G, counts) for part in np.array_split(order_G, num_windows) if len(part)]


def _window(groups: Any, last_G: Any, counts: agreement.ValueCounts) -> Window:
    is_in_U = np.isin(counts.groups_U, groups)
    part = agreement.ValueCounts(
        counts_UV=counts.counts_UV[is_in_U],
        values=counts.values,
        groups_U=np.unique(counts.groups_U[is_in_U], return_inverse=True)[1],
    )
    estimate = agreement.raw_agreement(part, num_resamples=300)
    return Window(first_at=float(last_G[groups[0]]), last_at=float(last_G[groups[-1]]), estimate=estimate)


def _matrix(pairs: agreement.PairwiseAgreement, chosen: list[int], column_Q: Any) -> Matrix:
    """The chosen annotators' part of a pairwise column; names are ids, in the order of `chosen`."""
    places = {int(pk): place for place, pk in enumerate(pairs.annotators.tolist())}
    known = [pk for pk in chosen if pk in places]
    wanted = np.array([places[pk] for pk in known], dtype=np.int64)
    values = pairs.matrix(column_Q)[np.ix_(wanted, wanted)]
    shared = np.nan_to_num(pairs.matrix(pairs.num_shared_Q)[np.ix_(wanted, wanted)]).astype(int)
    return Matrix(names=[str(pk) for pk in known], cells=_defined(values), counts=shared.tolist())


def _defined(values: Any) -> list[list[float | None]]:
    return [[None if np.isnan(value) else float(value) for value in row] for row in values]


def _confusion(
    question: Question, main: JudgmentColumns, signs: agreement.Columns, counts: agreement.ValueCounts
) -> Matrix:
    """What the others said where one annotator said the row's: shares of each row, and counts of pairs of judgments."""
    if question.num_completions == 2 and question.num_strengths > 1:
        steps = tuple(range(-question.num_strengths, question.num_strengths + 1))
        counts = agreement.count_columns(agreement_columns(main, 2, steps))
    counts_UV: Any = counts.counts_UV
    together_VV = counts_UV.T @ counts_UV - np.diag(counts_UV.sum(axis=0))
    totals_V1 = together_VV.sum(axis=1, keepdims=True)
    shares_VV = np.where(totals_V1 > 0, together_VV / np.maximum(totals_V1, 1), np.nan)
    names = [_value_name(value, question) for value in counts.values]
    cells = _defined(shares_VV[::-1, ::-1])  # the best of the completion with the lower index first
    return Matrix(names=names[::-1], cells=cells, counts=together_VV[::-1, ::-1].tolist())


def _value_name(value: Any, question: Question) -> str:
    number = int(value)
    if question.num_completions == 1:
        return str(number)
    if number == 0:
        return "tied"
    side = "A better" if number > 0 else "B better"
    return side if question.num_strengths == 1 or question.num_completions != 2 else f"{side}, {abs(number)}"


def _hardest(material: Material, signs: agreement.Columns, counts: agreement.ValueCounts) -> list[HardItem]:
    """Comparisons with two judgments or more, those with most disagreement first."""
    totals_U = counts.counts_UV.sum(axis=1)
    same_U = (counts.counts_UV * (counts.counts_UV - 1)).sum(axis=1)
    num_groups = len(signs.comparisons)
    pairs_G = np.bincount(counts.groups_U, weights=totals_U * (totals_U - 1), minlength=num_groups)
    same_G = np.bincount(counts.groups_U, weights=same_U, minlength=num_groups)
    entropy_G: Any = np.bincount(counts.groups_U, weights=entropy_of(counts.counts_UV), minlength=num_groups)
    entropy_G = entropy_G / np.maximum(np.bincount(counts.groups_U, minlength=num_groups), 1)
    apart_G = np.where(pairs_G > 0, 1 - same_G / np.maximum(pairs_G, 1), -1.0)
    is_gold_G = np.isin(signs.comparisons, list(material.gold))
    order_G = np.lexsort((signs.comparisons, -pairs_G, -entropy_G, -apart_G.round(3)))
    chosen = [group for group in order_G.tolist() if apart_G[group] > 0 and not is_gold_G[group]][:NUM_HARDEST]
    first_unit_G = np.searchsorted(counts.groups_U, np.arange(num_groups))
    names = ("second", "tied", "first")
    is_pair = material.num_completions == 2
    return [
        HardItem(
            comparison=int(signs.comparisons[group]),
            num_judgments=int(totals_U[counts.groups_U == group].max()),
            votes=dict(zip(names, counts.counts_UV[first_unit_G[group]].tolist(), strict=True)) if is_pair else {},
            disagreement=float(apart_G[group]),
            entropy=float(entropy_G[group]),
        )
        for group in chosen
    ]


def entropy_of(counts_UV: Any) -> Any:
    """Bits of each row's shares, half a vote added to every value so that few votes are not taken for certainty."""
    shares_UV = (counts_UV + 0.5) / (counts_UV.sum(axis=1, keepdims=True) + 0.5 * counts_UV.shape[1])
    return -(shares_UV * np.log2(shares_UV)).sum(axis=1)


def _versions(material: Material, main: JudgmentColumns) -> list[VersionRow]:
    return [_version(material, main, number) for number in np.unique(main.guideline_versions_J).tolist()]


def _version(material: Material, main: JudgmentColumns, number: int) -> VersionRow:
    own = main.where(main.guideline_versions_J == number)
    signs = agreement_columns(own, material.num_completions, material.domain)
    return VersionRow(
        number=number,
        num_judgments=len(own),
        first_at=float(own.created_at_J.min()),
        last_at=float(own.created_at_J.max()),
        estimate=agreement.raw_agreement(agreement.count_columns(signs), num_resamples=300),
    )


def _longer(material: Material, signs: agreement.Columns) -> LongerWins | None:
    if material.num_completions != 2 or not signs.num_units:
        return None
    ids_C = material.comparisons.ids_C
    return quality.longer_wins_baseline(signs, ids_C, longer_of(material.comparisons, ids_C))
