"""What one displayed order of replies says, from the verdicts of its samples.

A sample is one reply to one request; a round is one displayed order with all of its requests (a principle, an aspect,
a single reply). A round counts if each of its requests has verdicts for more than half of its samples.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from annotation.judging.calls import Item, JudgeCall
from annotation.judging.outcomes import Outcome, Probabilities, Verdict
from annotation.judging.planning import protocol_of
from annotation.judging.protocols.pairwise import tiers_of
from annotation.judging.spec import JudgeSpec
from annotation.tiers import Tiers

Points = dict[int, float]  # completion → points
Groups = Mapping[tuple[int, tuple[int, ...]], list[Verdict]]  # (part, completions shown) → verdicts of its samples


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one displayed order says."""

    display_order: tuple[int, ...]
    verdicts: list[Verdict]
    tiers: Tiers
    decided: Probabilities | None  # of a pair: by vote or mean, as the specification says
    soft: Probabilities | None  # of a pair: always the mean
    points: Points | None
    by_part: dict[int, Points]  # of aspects


def groups_of(round: int, outcomes: Sequence[tuple[JudgeCall, Outcome]]) -> Groups:
    """The verdicts of one round; of several attempts at a sample the last verdict counts."""
    latest: dict[tuple[int, tuple[int, ...], int], tuple[int, Verdict]] = {}
    for call, outcome in outcomes:
        cell = (call.part, call.display_order, call.sample)
        if call.round == round and isinstance(outcome, Verdict) and latest.get(cell, (-1,))[0] < call.attempt:
            latest[cell] = (call.attempt, outcome)
    groups: dict[tuple[int, tuple[int, ...]], list[Verdict]] = defaultdict(list)
    for (part, shown, _), (_, verdict) in sorted(latest.items(), key=lambda entry: entry[0]):
        groups[part, shown].append(verdict)
    return groups


def round_of(spec: JudgeSpec, item: Item, groups: Groups) -> Round | None:
    """None if not every request has enough verdicts."""
    protocol = protocol_of(spec.protocol)
    read = {key: verdicts for key, verdicts in groups.items() if 2 * len(verdicts) > spec.num_samples}
    if len(read) < protocol.num_asks(spec, len(item.texts)):
        return None
    verdicts = [verdict for group in read.values() for verdict in group]
    shown = next(iter(read))[1] if protocol.has_order else tuple(range(len(item.texts)))
    decided = soft = None
    if all(verdict.probabilities is not None for verdict in verdicts):
        soft = mean_probabilities([mean_probabilities(_probabilities(group)) for group in read.values()])
        votes = [mean_probabilities([_vote(p) for p in _probabilities(group)]) for group in read.values()]
        is_soft = any(verdict.read_as == "logprobs" for verdict in verdicts)  # one reply that is a mean already
        decided = mean_probabilities(votes) if spec.combine == "vote" and not is_soft else soft
    by_part = _points_by_part(spec, read)
    points = mean_points(list(by_part.values())) if by_part else None
    if decided:
        tiers = tiers_of(decided, spec.tie_margin)
    elif points is not None:
        tiers = tiers_of_points(points, spec.tie_margin)
    else:
        tiers = _ranked(spec, verdicts, len(item.texts))
    return Round(
        display_order=shown, verdicts=verdicts, tiers=tiers, decided=decided, soft=soft, points=points, by_part=by_part
    )


def _points_by_part(spec: JudgeSpec, groups: Groups) -> dict[int, Points]:
    """part → completion → points: by vote the most frequent ones (level ones averaged), else the mean."""
    samples: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for (part, _), verdicts in groups.items():
        for verdict in verdicts:
            for index, points in verdict.points.items():
                samples[part][index].append(points)
    pick = _most_frequent if spec.combine == "vote" else fmean
    return {part: {index: pick(values) for index, values in of.items()} for part, of in samples.items()}


def _most_frequent(values: Sequence[float]) -> float:
    counts = Counter(values)
    most = max(counts.values())
    return fmean(value for value, count in counts.items() if count == most)


def mean_points(parts: Sequence[Points]) -> Points:
    return {index: fmean(points[index] for points in parts) for index in parts[0]}


def _ranked(spec: JudgeSpec, verdicts: Sequence[Verdict], size: int) -> Tiers:
    """By vote the most frequent ranking; the mean rank where several are, or where the mean is asked for."""
    counts = Counter(frozen(verdict.tiers or []) for verdict in verdicts)
    (best, most), *others = counts.most_common()
    if spec.combine == "vote" and not any(count == most for _, count in others):
        return [list(tier) for tier in best]
    return tiers_of_points(mean_ranks([verdict.tiers or [] for verdict in verdicts], size), spec.tie_margin)


def frozen(tiers: Tiers) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(tier) for tier in tiers)


def mean_ranks(rankings: Sequence[Tiers], size: int) -> Points:
    """Minus the mean place, from the middle of each tier, so that more is better."""
    places: dict[int, list[float]] = defaultdict(list)
    for tiers in rankings:
        above = 0
        for tier in tiers:
            for index in tier:
                places[index].append(-(above + (len(tier) - 1) / 2))
            above += len(tier)
    return {index: fmean(places[index]) for index in range(size)}


def pair_signs(tiers: Tiers) -> dict[tuple[int, int], int]:
    """(lower, higher index) → 1 where the lower one is better, 0 where they tie, -1 where it is worse."""
    place = {index: number for number, tier in enumerate(tiers) for index in tier}
    return {
        (first, second): (place[second] > place[first]) - (place[second] < place[first])
        for first, second in combinations(sorted(place), 2)
    }


def tiers_of_points(points: Mapping[int, float], tie_margin: float = 0.0) -> Tiers:
    """Completions by falling points; a tier holds what lies within `tie_margin` of its best member."""
    tiers: Tiers = []
    best = 0.0
    for index in sorted(points, key=lambda index: (-points[index], index)):
        if tiers and best - points[index] <= tie_margin + 1e-9:
            tiers[-1].append(index)
        else:
            tiers.append([index])
            best = points[index]
    return [sorted(tier) for tier in tiers]


def _probabilities(verdicts: Sequence[Verdict]) -> list[Probabilities]:
    return [verdict.probabilities for verdict in verdicts if verdict.probabilities is not None]


def _vote(probabilities: Probabilities) -> Probabilities:
    """All on the likeliest of the three."""
    tiers = tiers_of(probabilities)
    is_tie = len(tiers) == 1
    return Probabilities(
        first=float(tiers == [[0], [1]]), tie=float(is_tie), second=float(not is_tie and tiers[0] == [1])
    )


def mean_probabilities(parts: Sequence[Probabilities | None]) -> Probabilities | None:
    given = [part for part in parts if part is not None]
    if not given:
        return None
    return Probabilities(
        first=fmean(part.first for part in given),
        tie=fmean(part.tie for part in given),
        second=fmean(part.second for part in given),
    )
