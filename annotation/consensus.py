"""Consensus runs: one answer for each comparison, made of its judgments by a named method, or by an adjudicator."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from django.db import transaction

from accounts.models import User
from annotation import aggregation
from annotation.aggregation import Aggregation, AggregationRefused, Judgments
from annotation.bulk_copy import copy_rows, next_ids
from annotation.columns import JudgmentColumns, read_judgments
from annotation.models import Campaign, Candidate, Consensus, ConsensusRun, Judgment, Slot
from core import jobs
from core.errors import ConcordError

ADJUDICATED = "decided by an adjudicator"


class ConsensusRefused(ConcordError):
    """The method or a parameter is unknown, or the campaign asks for no order."""

    status = 422
    title = "No consensus can be made like this"


def start_consensus_run(
    *, campaign: Campaign, method: str, parameters: Mapping[str, Any] | None = None, user: User | None = None
) -> ConsensusRun:
    """Queue the aggregation of a campaign's main judgments. Raises `ConsensusRefused`."""
    try:
        checked = aggregation.check_parameters(method, parameters or {})
    except AggregationRefused as error:
        raise ConsensusRefused(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
    if campaign.question.get("num_completions", 2) < 2:
        raise ConsensusRefused(f"{campaign} orders no completions: there is nothing to agree about.")
    with transaction.atomic():
        run = ConsensusRun.objects.create(campaign=campaign, method=method, parameters=checked, created_by=user)
        jobs.enqueue(run)
    return run


def newest_run(campaign: Campaign, method: str = "") -> ConsensusRun | None:
    """The campaign's newest finished run, of the method if one is named."""
    finished = ConsensusRun.objects.filter(campaign=campaign, status=ConsensusRun.Status.FINISHED)
    chosen = finished.filter(method=method) if method else finished
    found: ConsensusRun | None = chosen.order_by("-finished_at", "-pk").first()
    return found


def aggregate(run: ConsensusRun) -> None:
    """Carry a run out: its rows appear all at once, and replace those of an earlier attempt."""
    columns = read_judgments(run.campaign).of("main")
    judgments = judgments_of(run.campaign, columns)
    jobs.beat(run, num_done=0, num_total=len(judgments.completions))
    made = aggregation.aggregate(run.method, judgments, run.parameters)
    rows = _rows(run, made, columns, adjudications(run.campaign))
    with transaction.atomic():
        jobs.renew(run, num_done=len(rows))
        Consensus.objects.filter(run=run).delete()
        for row, pk in zip(rows, next_ids(Consensus, len(rows)), strict=True):
            row.pk = pk
        copy_rows(rows)


def judgments_of(campaign: Campaign, columns: JudgmentColumns) -> Judgments:
    """The input of every method, from columns."""
    completions: dict[Hashable, list[int]] = {pk: [] for pk in campaign.comparisons.values_list("pk", flat=True)}
    placed = Candidate.objects.filter(comparison__campaign=campaign).order_by("comparison", "position")
    for comparison, completion in placed.values_list("comparison_id", "completion_id").iterator(chunk_size=20_000):
        completions[comparison].append(completion)
    return Judgments(
        comparisons=columns.comparisons_J.tolist(),
        annotators=columns.annotators_J.tolist(),
        tiers=[columns.said[number].tiers for number in columns.said_J.tolist()],
        display_orders=[columns.orders[number] for number in columns.orders_J.tolist()],
        completions=completions,
        prompts=dict(campaign.comparisons.values_list("pk", "prompt_id")),
        unranked_is_worse=[columns.said[number].unranked_is_worse for number in columns.said_J.tolist()],
    )


def adjudications(campaign: Campaign) -> dict[int, Judgment]:
    """comparison → the answer that an adjudicator gave, the newest if there are several."""
    rows = Judgment.objects.current().filter(comparison__campaign=campaign, purpose=Slot.Purpose.ADJUDICATION)
    return {row.comparison_id: row for row in rows.order_by("pk")}


def _rows(
    run: ConsensusRun, made: Aggregation, columns: JudgmentColumns, decided: Mapping[int, Judgment]
) -> list[Consensus]:
    """A row for each comparison. What an adjudicator decided overrides the method, whose posterior stays."""
    ids = columns.ids_J.tolist()
    rows = []
    for comparison, found in made.consensus.items():
        row = Consensus(
            run=run,
            comparison_id=int(str(comparison)),
            tiers=found.tiers,
            reason=(found.reason or "")[:300],
            confidence=found.confidence,
            posterior=found.posterior,
            judgment_ids=[ids[number] for number in found.judgments],
        )
        judgment = decided.get(row.comparison_id)
        if judgment is not None and judgment.answer.get("tiers"):
            row.tiers, row.confidence = judgment.answer["tiers"], 1.0
            row.reason, row.is_adjudicated = ADJUDICATED, True
            row.judgment_ids = [judgment.pk]
        rows.append(row)
    return rows
