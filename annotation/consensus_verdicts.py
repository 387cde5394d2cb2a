"""What consensus runs say about every two completions, for datasets that are frozen from a consensus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.aggregation import METHODS
from annotation.consensus import newest_run
from annotation.models import Campaign, Consensus, ConsensusRun
from annotation.tiers import ordered_pairs
from core.errors import ConcordError

Pair = tuple[int, int]  # the lower completion id, the higher one


class ConsensusMissing(ConcordError):
    """A dataset was to be frozen from a consensus that has not been computed."""

    status = 422
    title = "There is no such consensus"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the consensus of one comparison says about two completions."""

    winner: int  # completion id; 0: level
    p_lower: float | None  # probability that the one with the lower id is better, half of a tie included
    confidence: float | None
    is_adjudicated: bool


def is_wanted(consensus: object) -> bool:
    """Whether a dataset filter's `consensus` names a run's id or a method."""
    if isinstance(consensus, bool):
        return False
    return consensus in METHODS if isinstance(consensus, str) else isinstance(consensus, int) and consensus > 0


def runs_of(campaigns: Iterable[Campaign], consensus: str | int) -> list[ConsensusRun]:
    """The finished run with this id, or each campaign's newest one of this method. Raises `ConsensusMissing`."""
    wanted = list(campaigns)
    if isinstance(consensus, int):
        rows = ConsensusRun.objects.filter(pk=consensus, campaign__in=wanted, status=ConsensusRun.Status.FINISHED)
        if not rows or len(wanted) != 1:
            raise ConsensusMissing(f"Consensus run {consensus} is no finished run of the dataset's only campaign.")
        return list(rows)
    found = [(campaign, newest_run(campaign, consensus)) for campaign in wanted]
    if missing := [str(campaign) for campaign, run in found if run is None]:
        raise ConsensusMissing(f"{missing[0]} has no finished consensus by {consensus}: compute it first.")
    return [run for _, run in found if run is not None]


def verdicts(runs: Sequence[ConsensusRun], completions: Mapping[int, Mapping[int, int]]) -> dict[Pair, list[Verdict]]:
    """Every two completions with what the runs say; `completions` is comparison → position → completion."""
    found: dict[Pair, list[Verdict]] = defaultdict(list)
    rows = Consensus.objects.filter(run__in=runs).exclude(tiers=None).order_by("pk")
    for row in rows.iterator(chunk_size=2000):
        for pair, verdict in _of_row(row, completions[row.comparison_id]):
            found[pair].append(verdict)
    return found


def _of_row(row: Consensus, completions: Mapping[int, int]) -> Iterable[tuple[Pair, Verdict]]:
    said = ordered_pairs(row.tiers or [])
    better = {frozenset(pair): pair[0] for pair in said.preferences}
    shares = {frozenset((pair["first"], pair["second"])): pair for pair in row.posterior.get("pairs", [])}
    for indices in [frozenset(pair) for pair in (*said.preferences, *said.ties)]:
        lower, higher = sorted(indices, key=lambda index: completions[index])
        winner = completions[better[indices]] if indices in better else 0
        p_lower = float(winner in (completions[lower], 0)) - 0.5 * (winner == 0) if row.is_adjudicated else None
        if p_lower is None and indices in shares:
            p_lower = _p_better(shares[indices], lower)
        yield (
            (completions[lower], completions[higher]),
            Verdict(winner=winner, p_lower=p_lower, confidence=row.confidence, is_adjudicated=row.is_adjudicated),
        )


def _p_better(pair: Mapping[str, Any], index: int) -> float:
    better = pair["first_better"] if pair["first"] == index else pair["second_better"]
    return float(better + pair["tie"] / 2)
