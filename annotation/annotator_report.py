"""What a campaign's judgments say of each annotator, people and judges alike. Computed from columns; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from annotation import agreement, quality
from annotation.annotator_flags import Flag, Standards, flags_of
from annotation.columns import (
    Booleans,
    ComparisonColumns,
    Floats,
    Integers,
    JudgmentColumns,
    PairRows,
    Said,
    pair_rows,
)
from annotation.gold_rules import is_right
from annotation.quality import Drift, Median, OutlierTest, SelfConsistency, Share

FASTEST_SECONDS = 0.5  # between two judgments of one annotator, on average; faster ones have no course over time
NOT_MEASURED = Share(value=None, interval=None, n=0, reason="nothing was judged yet")
NO_GOLD = replace(NOT_MEASURED, reason="no task with a known answer was judged")
NO_REPEAT = replace(NOT_MEASURED, reason="no swapped repeat was judged")
NO_TIME = Median(value=None, interval=None, n=0, reason="no time was measured")


@dataclass(frozen=True, kw_only=True)
class AnnotatorWork:
    """One annotator's work in a campaign. Shares come with intervals, or with the reason why there is none."""

    annotator: int
    num_judged: int = 0
    active: Median = NO_TIME  # seconds a judgment while the page had focus
    total: Median = NO_TIME
    agreement_with_others: Share = NOT_MEASURED  # with each other annotator, pair by pair
    agreement_with_consensus: Share = NOT_MEASURED  # the most frequent answer of the others
    kappa: Share = NOT_MEASURED  # the same beyond chance
    gold: Share = NO_GOLD  # gold items that were right
    left: Share = NOT_MEASURED  # preferences for the reply shown left (or earlier)
    longer: Share = NOT_MEASURED  # preferences for the longer reply
    skipped: Share = NOT_MEASURED
    same_again: Share = NO_REPEAT  # repeats with swapped sides that were answered the same
    contradicted: Share = NO_REPEAT  # strict preferences turned round
    drift: Drift | None = None
    outlier: OutlierTest | None = None
    flags: list[Flag] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Material:
    """Everything that statistics of a campaign are made of."""

    judgments: JudgmentColumns
    comparisons: ComparisonColumns
    num_completions: int
    domain: tuple[int, ...]  # of pairs: signs; of single ratings: points
    gold: Mapping[int, Mapping[str, Any]]  # comparison → the known answer
    skipped_by: Integers  # the annotator of each skip

    @property
    def main(self) -> JudgmentColumns:
        return self.judgments.of("main")


def annotator_work(
    material: Material, columns: agreement.Columns, pairs: agreement.PairwiseAgreement
) -> dict[int, AnnotatorWork]:
    """Everybody who judged or skipped, by id. `columns` are the main judgments' signs, `pairs` every two annotators."""
    main = material.main
    parts: dict[str, dict[int, Any]] = {
        "active": quality.median_seconds(main.annotators_J, main.active_ms_J),
        "total": quality.median_seconds(main.annotators_J, main.total_ms_J),
        "agreement_with_others": _with_others(pairs),
        "skipped": quality.skip_rates(main.annotators_J, material.skipped_by),
        "gold": gold_shares(material),
        **_consensus(columns),
        **_sides(material, main),
        **_repeats(material, main),
        **_over_time(columns, main),
    }
    known, counts = np.unique(main.annotators_J, return_counts=True)
    num_judged = dict(zip(known.tolist(), counts.tolist(), strict=True))
    everybody = sorted(set(num_judged).union(*parts.values()))
    works = [
        AnnotatorWork(
            annotator=annotator,
            num_judged=num_judged.get(annotator, 0),
            **{name: values[annotator] for name, values in parts.items() if annotator in values},
        )
        for annotator in everybody
    ]
    standards = Standards.of(works)
    return {work.annotator: replace(work, flags=flags_of(work, standards)) for work in works}


def gold_shares(material: Material) -> dict[int, Share]:
    """annotator → the share of gold items, qualification included, that were right."""
    rows = _gold_rows(material)
    annotators = np.array([annotator for annotator, _, _ in rows], dtype=np.int64)
    right = np.array([is_good for _, _, is_good in rows], dtype=np.float64)
    return quality.shares_by(annotators, right, nothing="no gold item was judged") if rows else {}


def gold_misses(material: Material) -> dict[int, tuple[int, int]]:
    """comparison → (times judged as gold, times missed): a gold item that everybody misses is a bad one."""
    counts: dict[int, tuple[int, int]] = {}
    for _, comparison, is_good in _gold_rows(material):
        num_judged, num_missed = counts.get(comparison, (0, 0))
        counts[comparison] = (num_judged + 1, num_missed + (not is_good))
    return counts


def _gold_rows(material: Material) -> list[tuple[int, int, bool]]:
    """(annotator, comparison, right) of every answer to a gold item."""
    asked, size = material.judgments.of("gold", "qualification"), material.num_completions
    rows = zip(asked.annotators_J.tolist(), asked.comparisons_J.tolist(), asked.said_J.tolist(), strict=True)
    return [
        (annotator, comparison, is_right(_as_answer(asked.said[said], size), material.gold[comparison]))
        for annotator, comparison, said in rows
        if comparison in material.gold
    ]


def _as_answer(said: Said, size: int) -> dict[str, Any]:
    named = {index for tier in said.tiers or [] for index in tier}
    unranked = sorted(set(range(size)) - named) if said.unranked_is_worse else []
    return {"tiers": said.tiers, "unranked": unranked, "unranked_is_worse": said.unranked_is_worse}


def _with_others(pairs: agreement.PairwiseAgreement) -> dict[int, Share]:
    """Raw agreement with each other annotator over what both judged."""
    size = len(pairs.annotators)
    agreed_Q = pairs.raw_Q * pairs.num_shared_Q
    shared_A = _sum_both(pairs, pairs.num_shared_Q.astype(np.float64), size)
    agreed_A = _sum_both(pairs, agreed_Q, size)
    return {
        int(annotator): quality.share(float(agreed), round(float(shared)), nothing="nobody else judged the same")
        for annotator, agreed, shared in zip(pairs.annotators, agreed_A, shared_A, strict=True)
    }


def _sum_both(pairs: agreement.PairwiseAgreement, values_Q: Floats, size: int) -> Floats:
    first = np.bincount(pairs.first_Q, weights=values_Q, minlength=size)
    return np.asarray(first + np.bincount(pairs.second_Q, weights=values_Q, minlength=size))


def _consensus(columns: agreement.Columns) -> dict[str, dict[int, Share]]:
    rows = quality.agreement_with_consensus(columns)
    return {
        "agreement_with_consensus": {row.annotator: row.raw for row in rows},
        "kappa": {row.annotator: row.kappa for row in rows},
    }


def _sides(material: Material, main: JudgmentColumns) -> dict[str, dict[int, Share]]:
    """How often the left one and the longer one were preferred."""
    if material.num_completions < 2:
        return {}
    rows = pair_rows(main, material.num_completions)
    known_R = rows.is_order_known_R
    found = {
        "left": quality.left_wins(
            rows.annotators_R[known_R],
            rows.values_R[known_R],
            rows.first_is_left_R[known_R],
            comparisons=rows.comparisons_R[known_R] if material.num_completions > 2 else None,
        ),
    }
    if material.num_completions == 2:
        longer_R = longer_of(material.comparisons, rows.comparisons_R)
        found["longer"] = quality.longer_wins(rows.annotators_R, rows.values_R, longer_R)
    return found


def longer_of(comparisons: ComparisonColumns, wanted: Integers) -> Floats:
    """1, -1 or 0 where the first completion of each wanted comparison is longer, shorter or as long."""
    signs_C = quality.sign_of_longer(comparisons.first_lengths_C, comparisons.second_lengths_C)
    return signs_C[np.searchsorted(comparisons.ids_C, wanted)]


def _repeats(material: Material, main: JudgmentColumns) -> dict[str, dict[int, Share]]:
    if material.num_completions < 2:
        return {}
    rows = self_consistency(main, material.judgments.of("repeat"), material.num_completions)
    return {
        "same_again": {row.annotator: row.same for row in rows},
        "contradicted": {row.annotator: row.contradicted for row in rows},
    }


def self_consistency(main: JudgmentColumns, repeats: JudgmentColumns, num_completions: int) -> list[SelfConsistency]:
    """Repeats held against the same annotator's first answer to the same comparison."""
    if not len(repeats) or not len(main):
        return []
    first, again = pair_rows(main, num_completions), pair_rows(repeats, num_completions)
    largest = int(max(main.annotators_J.max(), repeats.annotators_J.max())) + 1
    num_pairs = max(1, num_completions * (num_completions - 1) // 2)
    keys, wanted = _keys(first, largest, num_pairs), _keys(again, largest, num_pairs)
    order = np.argsort(keys, kind="stable")
    places = order[np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)] if len(keys) else wanted
    is_found = keys[places] == wanted if len(keys) else np.zeros(len(wanted), dtype=bool)
    return quality.self_consistency(
        again.annotators_R[is_found],
        first.values_R[places[is_found]],
        again.values_R[is_found],
        first.first_is_left_R[places[is_found]],
        again.first_is_left_R[is_found],
    )


def _keys(rows: PairRows, largest: int, num_pairs: int) -> Integers:
    """One number for each (comparison, annotator, pair)."""
    return (rows.comparisons_R * largest + rows.annotators_R) * num_pairs + rows.pairs_R


def _over_time(columns: agreement.Columns, main: JudgmentColumns) -> dict[str, dict[int, Any]]:
    """Drift, and the sequential test of those who agree less than half as far above chance as the others."""
    annotators_N, times_N, credits_N = timed_credits(columns, main)
    if not len(credits_N):
        return {}
    is_in_time_N = _came_in_time(annotators_N, times_N)
    drifts = quality.drift(annotators_N[is_in_time_N], times_N[is_in_time_N], credits_N[is_in_time_N])
    found: dict[str, dict[int, Any]] = {"drift": {row.annotator: row for row in drifts}}
    chance, mean = chance_agreement(columns), float(credits_N.mean())
    required = chance + (mean - chance) / 2
    if 0 < chance < required < 1:
        tests = quality.outlier_tests(annotators_N, times_N, credits_N, required=required, chance=chance)
        found["outlier"] = {test.annotator: test for test in tests}
    return found


def _came_in_time(annotators_N: Integers, times_N: Floats) -> Booleans:
    """Whether the annotator's judgments came one after another; imported ones, and a judge's, come all at once."""
    _, codes_N, counts_A = np.unique(annotators_N, return_inverse=True, return_counts=True)
    first_A, last_A = np.full(len(counts_A), np.inf), np.full(len(counts_A), -np.inf)
    np.minimum.at(first_A, codes_N, times_N)
    np.maximum.at(last_A, codes_N, times_N)
    return np.asarray(((last_A - first_A) / counts_A >= FASTEST_SECONDS)[codes_N])


def timed_credits(columns: agreement.Columns, main: JudgmentColumns) -> tuple[Integers, Floats, Floats]:
    """Annotator, time and agreement with the consensus of the others (0 … 1) of each judgment that others share."""
    credits = quality.consensus_credits(columns)
    if not len(credits.credits_J):
        return np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0)
    largest = int(main.annotators_J.max()) + 1
    keys_N, places_N = np.unique(credits.comparisons_J * largest + credits.annotators_J, return_inverse=True)
    counts_N = np.bincount(places_N)
    means_N = np.bincount(places_N, weights=credits.credits_J) / counts_N  # a ranking's pairs count as one
    keys_J = main.comparisons_J * largest + main.annotators_J
    order_J = np.argsort(keys_J, kind="stable")
    found_N = order_J[np.searchsorted(keys_J[order_J], keys_N)]
    return keys_N % largest, main.created_at_J[found_N], means_N


def chance_agreement(columns: agreement.Columns) -> float:
    """How often two judgments would be the same if everybody drew from the campaign's shares of the values."""
    totals_V = np.bincount(columns.values_J, minlength=len(columns.values)).astype(np.float64)
    return float(((totals_V / max(1.0, totals_V.sum())) ** 2).sum())
