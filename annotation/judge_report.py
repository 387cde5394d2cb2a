"""How good a judge is on a campaign's own human judgments: from rows to the columns of `judging.calibration`.

A judge's verdicts are those of one version, from answering and from calibration runs; of a judge without versions (a
scripted or imported one) they are its judgments. A comparison of K replies counts as its pairs.

Shapes: J rows of people, R rows of the judge.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from django.core.cache import cache
from django.db.models import Count, Max, Sum

from annotation.campaign_report import newest_judgment
from annotation.columns import JudgmentColumns, pair_rows, read_judgments
from annotation.judging import calibration
from annotation.judging.calibration import (
    Cost,
    FlipRates,
    PeopleAgreement,
    Reliability,
    TraitPreference,
    VersionDrift,
)
from annotation.judging.rounds import pair_signs
from annotation.judging.routing import CurvePoint, routing_curve
from annotation.models import Annotator, Campaign, Candidate, JudgeCall, JudgeVerdict, JudgeVersion, JudgingRun, Slot
from annotation.quality import Share
from annotation.question import Question

PAIRS = 64  # more than the pairs of nine replies: comparison · PAIRS + number of the pair names a pair
NUM_THRESHOLDS = 21  # points of the routing curve
KEPT_SECONDS = 24 * 3600
NUM_RESAMPLES = 1000
_FAMILY = re.compile(r"[a-z]+")


@dataclass
class JudgeRows:
    """The judge's rows R, and one row for each displayed order of them."""

    pairs: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    preferences: list[float] = field(default_factory=list)  # soft label of the lower index; NaN where there is none
    margins: list[float] = field(default_factory=list)
    flipped: list[bool] = field(default_factory=list)
    shown_pairs: list[int] = field(default_factory=list)
    shown_values: list[float] = field(default_factory=list)
    shown_left: list[bool] = field(default_factory=list)  # whether the lower index was shown first
    first_values: list[float] = field(default_factory=list)  # of what was judged in two orders
    second_values: list[float] = field(default_factory=list)
    first_left: list[bool] = field(default_factory=list)
    both_pairs: list[int] = field(default_factory=list)  # the pair of each of these three
    num_without_answer: int = 0


@dataclass(frozen=True, kw_only=True)
class PeopleRows:
    """People's main judgments as pairs [J]."""

    pairs: Any
    values: Any


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Of each of the judge's pairs [R], 1, -1 or 0: which reply has more of something."""

    longer: Any
    lists: Any
    own_family: Any
    family: str


@dataclass(frozen=True, kw_only=True)
class JudgeReport:
    """Everything that the calibration page shows."""

    version: int | None  # its number
    agreement: PeopleAgreement
    flips: FlipRates
    position: Share
    length: TraitPreference
    lists: TraitPreference
    own_family: TraitPreference
    family: str
    reliability: Reliability
    curve: list[CurvePoint]
    cost: Cost | None  # of judges with a model
    drift: tuple[tuple[int, int, VersionDrift], ...]  # old and new version
    outcomes: dict[str, int]  # calls by outcome
    num_judged: int
    num_without_answer: int
    injection: dict[str, Any]  # report of the newest injection test of the version; empty: none


def calibration_of(campaign: Campaign, judge: Annotator, version: JudgeVersion | None = None) -> JudgeReport:
    """The report, kept until there are newer judgments or verdicts. `version` defaults to the newest with verdicts."""
    chosen = version or _newest_with_verdicts(campaign, judge)
    verdicts = JudgeVerdict.objects.filter(run__campaign=campaign, run__annotator=judge)
    said = verdicts.aggregate(Max("pk"), Count("answer"), Sum("preference"), Sum("margin"))  # rereading changes them
    runs = campaign.judging_runs.filter(annotator=judge, status=JudgingRun.Status.FINISHED).count()
    state = (newest_judgment(campaign), said, runs, chosen and chosen.pk)
    key = f"annotation.judge_report.2.{campaign.pk}.{judge.pk}.{chosen.pk if chosen else 0}"
    kept = cache.get(key)
    if kept is not None and kept[0] == state:
        found: JudgeReport = kept[1]
        return found
    report = compute(campaign, judge, chosen)
    cache.set(key, (state, report), KEPT_SECONDS)
    return report


def compute(campaign: Campaign, judge: Annotator, version: JudgeVersion | None) -> JudgeReport:
    """The report, fresh."""
    size = Question.from_json(campaign.question).num_completions
    main = read_judgments(campaign).of(Slot.Purpose.MAIN)
    people = _people(campaign, main, judge, size)
    rows = _verdict_rows(campaign, judge, version)
    if not rows.pairs and not rows.num_without_answer:
        _add_judgments(rows, main.where(main.annotators_J == judge.pk), size)
    texts = _texts(campaign, rows, judge, version)
    prompts = _Prompts(campaign)
    columns: dict[str, Any] = {
        "judge_comparisons": rows.pairs,
        "judge_values": rows.values,
        "prompts": prompts.of(rows.pairs),
    }
    agreement = calibration.agreement_with_people(
        people.pairs, people.values, **columns, longer=texts.longer, num_resamples=NUM_RESAMPLES
    )

    def trait(values: Any) -> TraitPreference:
        return calibration.trait_preference(
            people.pairs, people.values, **columns, judge_trait=values, num_resamples=NUM_RESAMPLES
        )

    outcomes = _outcomes_of_people(rows, people)
    return JudgeReport(
        version=version.number if version else None,
        agreement=agreement,
        flips=calibration.flip_rates(
            rows.first_values, rows.second_values, rows.first_left, prompts=prompts.of(rows.both_pairs)
        ),
        position=calibration.position_bias(rows.shown_values, rows.shown_left, prompts=prompts.of(rows.shown_pairs)),
        length=trait(texts.longer),
        lists=trait(texts.lists),
        own_family=trait(texts.own_family),
        family=texts.family,
        reliability=calibration.reliability(
            rows.preferences, outcomes, prompts=columns["prompts"], num_resamples=NUM_RESAMPLES
        ),
        curve=_curve(rows, people, agreement.people.raw.value),
        cost=_cost(campaign, version),
        drift=_drift(campaign, judge, people, prompts),
        outcomes=outcomes_of_calls(campaign, version),
        num_judged=len({pair // PAIRS for pair in rows.pairs}),
        num_without_answer=rows.num_without_answer,
        injection=_injection(version),
    )


class _Prompts:
    """The prompt of each comparison of a campaign: rows about one prompt are resampled together."""

    def __init__(self, campaign: Campaign) -> None:
        self._known = dict(campaign.comparisons.values_list("pk", "prompt_id"))

    def of(self, pairs: Sequence[int]) -> Any:
        """Of each pair of replies, by its name."""
        return np.array([self._known[pair // PAIRS] for pair in pairs], dtype=np.int64)


def outcomes_of_calls(campaign: Campaign | None, version: JudgeVersion | None) -> dict[str, int]:
    """Calls by how they were read; of all campaigns if none is named."""
    if version is None:
        return {}
    rows = JudgeCall.objects.filter(version=version)
    if campaign is not None:
        rows = rows.filter(run__campaign=campaign)
    said = list(rows.values_list("outcome", flat=True))
    return {str(outcome.label): said.count(outcome.value) for outcome in JudgeCall.Outcome if outcome.value in said}


def _newest_with_verdicts(campaign: Campaign, judge: Annotator) -> JudgeVersion | None:
    spoken = JudgeVerdict.objects.filter(run__campaign=campaign, run__annotator=judge, version__isnull=False)
    found: JudgeVersion | None = judge.versions.filter(pk__in=spoken.values("version")).order_by("-number").first()
    return found


def _people(campaign: Campaign, main: JudgmentColumns, judge: Annotator, size: int) -> PeopleRows:
    people = Annotator.objects.in_campaign(campaign).people().exclude(pk=judge.pk)
    chosen = main.where(np.isin(main.annotators_J, list(people.values_list("pk", flat=True))))
    rows = pair_rows(chosen, size)
    return PeopleRows(pairs=rows.comparisons_R * PAIRS + rows.pairs_R, values=rows.values_R)


def _verdict_rows(campaign: Campaign, judge: Annotator, version: JudgeVersion | None) -> JudgeRows:
    verdicts = JudgeVerdict.objects.filter(run__campaign=campaign, run__annotator=judge)
    if version is not None:
        verdicts = verdicts.filter(version=version)
    rows = JudgeRows()
    for verdict in verdicts.newest_of_each_comparison():
        _add_verdict(rows, verdict)
    return rows


def _add_verdict(rows: JudgeRows, verdict: JudgeVerdict) -> None:
    tiers, orders = verdict.details.get("tiers"), verdict.details.get("by_order", [])
    if not tiers:
        rows.num_without_answer += 1
    signs = pair_signs(tiers or [])
    said = [pair_signs(order["tiers"]) for order in orders]
    size = max((len(order["display_order"]) for order in orders), default=2)
    for number, pair in enumerate(combinations(range(size), 2)):
        name = verdict.comparison_id * PAIRS + number
        if pair in signs:
            rows.pairs.append(name)
            rows.values.append(float(signs[pair]))
            rows.preferences.append(np.nan if verdict.preference is None or size > 2 else verdict.preference)
            rows.margins.append(np.nan if verdict.margin is None else verdict.margin)
            rows.flipped.append(bool(verdict.is_flipped))
        lefts = [order["display_order"].index(pair[0]) < order["display_order"].index(pair[1]) for order in orders]
        for values, is_left in zip(said, lefts, strict=True):
            rows.shown_pairs.append(name)
            rows.shown_values.append(float(values.get(pair, np.nan)))
            rows.shown_left.append(is_left)
        if len(said) == 2:
            rows.first_values.append(float(said[0].get(pair, np.nan)))
            rows.second_values.append(float(said[1].get(pair, np.nan)))
            rows.first_left.append(lefts[0])
            rows.both_pairs.append(name)


def _add_judgments(rows: JudgeRows, own: JudgmentColumns, size: int) -> None:
    """Of a judge without verdicts: the newest judgment of each comparison, without soft labels."""
    found = pair_rows(own, size)
    names = (found.comparisons_R * PAIRS + found.pairs_R).tolist()
    values = found.values_R.tolist()
    newest = dict(zip(names, values, strict=True))
    rows.pairs, rows.values = list(newest), list(newest.values())
    rows.preferences = rows.margins = [np.nan] * len(newest)
    rows.flipped = [False] * len(newest)
    for name, value, is_left, is_known in zip(
        names, values, found.first_is_left_R.tolist(), found.is_order_known_R.tolist(), strict=True
    ):
        if is_known:
            rows.shown_pairs.append(name)
            rows.shown_values.append(value)
            rows.shown_left.append(is_left)


def _texts(campaign: Campaign, rows: JudgeRows, judge: Annotator, version: JudgeVersion | None) -> Texts:
    """Lengths, list items and authors of what the judge judged."""
    family = family_of(version.model.name if version else judge.name)
    wanted = {pair // PAIRS for pair in rows.pairs}
    candidates = Candidate.objects.filter(comparison__campaign=campaign, comparison__in=wanted)
    known: dict[tuple[int, int], tuple[int, int, bool]] = {}
    for comparison, position, text, model in candidates.values_list(
        "comparison_id", "position", "completion__text", "completion__model__name"
    ).iterator():
        known[comparison, position] = (len(text), calibration.num_list_items(text), family_of(model or "") == family)
    sizes: dict[int, int] = {}
    for comparison, position in known:
        sizes[comparison] = max(sizes.get(comparison, 0), position + 1)
    by_size = {size: list(combinations(range(size), 2)) for size in set(sizes.values())}
    signs = np.zeros((len(rows.pairs), 3))
    for row, name in enumerate(rows.pairs):
        comparison, number = divmod(name, PAIRS)
        first, second = by_size[sizes[comparison]][number]
        one, other = known[comparison, first], known[comparison, second]
        signs[row] = [np.sign(int(mine) - int(theirs)) for mine, theirs in zip(one, other, strict=True)]
    return Texts(longer=signs[:, 0], lists=signs[:, 1], own_family=signs[:, 2], family=family)


def family_of(name: str) -> str:
    """The first word of a model's name behind its owner: "Qwen/Qwen2.5-7B" and "qwen-72b" are both "qwen"."""
    found = _FAMILY.search(name.rpartition("/")[2].lower())
    return found[0] if found else ""


def _outcomes_of_people(rows: JudgeRows, people: PeopleRows) -> Any:
    """For each of the judge's rows the mean of people's answers: 1, ½, 0; NaN where nobody judged it."""
    return (_mean_by_pair(rows, people, lambda values_J, judge_J: values_J) + 1) / 2


def _mean_by_pair(rows: JudgeRows, people: PeopleRows, of: Any) -> Any:
    """The mean over people's rows of each of the judge's pairs [R]; NaN without any."""
    place = {name: row for row, name in enumerate(rows.pairs)}
    places_J = np.array([place.get(int(name), -1) for name in people.pairs], dtype=np.int64)
    is_shared_J = places_J >= 0
    places_J, values_J = places_J[is_shared_J], np.asarray(people.values)[is_shared_J]
    judge_R = np.asarray(rows.values, dtype=np.float64)
    counts_R = np.bincount(places_J, minlength=len(rows.pairs)).astype(np.float64)
    told_J = np.asarray(of(values_J, judge_R[places_J]), dtype=np.float64)
    sums_R = np.bincount(places_J, weights=told_J, minlength=len(rows.pairs))
    return np.divide(sums_R, counts_R, out=np.full(len(rows.pairs), np.nan), where=counts_R > 0)


def _curve(rows: JudgeRows, people: PeopleRows, people_agreement: float | None) -> list[CurvePoint]:
    """Of the comparisons that people judged too; empty without margins."""
    agreement_R = _mean_by_pair(rows, people, lambda values_J, judge_J: values_J == judge_J)
    margins_R = np.asarray(rows.margins, dtype=np.float64)
    is_told_R = ~np.isnan(agreement_R)
    if np.isnan(margins_R[is_told_R]).all():
        return []
    return routing_curve(
        margins_R[is_told_R],
        np.asarray(rows.flipped, dtype=bool)[is_told_R],
        agreement_R[is_told_R],
        people_agreement=people_agreement,
        thresholds=np.linspace(0, 1, NUM_THRESHOLDS).tolist(),
    )


def _cost(campaign: Campaign, version: JudgeVersion | None) -> Cost | None:
    if version is None:
        return None
    asked = JudgeCall.objects.filter(version=version, run__campaign=campaign, comparison__isnull=False)
    calls = asked.exclude(finish_reason="")  # requests without a reply have no price
    costs = [np.nan if cost is None else float(cost) for cost in calls.values_list("cost", flat=True)]
    verdicts = JudgeVerdict.objects.filter(version=version, run__campaign=campaign, answer__isnull=False)
    return calibration.cost_per_1000(costs, verdicts.count())


def _drift(
    campaign: Campaign, judge: Annotator, people: PeopleRows, prompts: _Prompts
) -> tuple[tuple[int, int, VersionDrift], ...]:
    """Each version against the one before it, where both judged the same."""
    spoken = JudgeVerdict.objects.filter(run__campaign=campaign, run__annotator=judge, version__isnull=False)
    versions = list(judge.versions.filter(pk__in=spoken.values("version")).order_by("number"))
    found = []
    rows = [_verdict_rows(campaign, judge, version) for version in versions]
    for place in range(1, len(versions)):
        old, new = (dict(zip(each.pairs, each.values, strict=True)) for each in rows[place - 1 : place + 1])
        shared = sorted(set(old) & set(new))
        both = JudgeRows(pairs=shared, values=[new[name] for name in shared])
        told = np.sign(_mean_by_pair(both, people, lambda values_J, judge_J: values_J))
        drift = calibration.version_drift([old[name] for name in shared], both.values, told, prompts=prompts.of(shared))
        found.append((versions[place - 1].number, versions[place].number, drift))
    return tuple(found)


def _injection(version: JudgeVersion | None) -> dict[str, Any]:
    if version is None:
        return {}
    runs = version.runs.filter(kind=JudgingRun.Kind.ATTACK, status=JudgingRun.Status.FINISHED)
    newest = runs.order_by("-pk").first()
    return dict(newest.report) if newest else {}
