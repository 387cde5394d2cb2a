"""Datasets in two further layouts: rankings of all completions of a comparison, and single completions with labels."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from annotation import consensus_verdicts, export
from annotation.dataset_filter import DatasetFilter
from annotation.models import Campaign, Candidate, Consensus, Judgment, Slot
from annotation.tiers import Tiers
from generation.models import Completion

RANKING_SCHEMA = pa.schema(
    [
        ("group_id", pa.string()),  # the prompt's fingerprint
        ("split", pa.string()),
        ("prompt", pa.string()),  # JSON list of {role, content}
        ("completions", pa.list_(pa.string())),
        ("tiers", pa.list_(pa.list_(pa.int32()))),  # indexes of completions, best first, ties inside a tier
        ("completion_ids", pa.list_(pa.int64())),
        ("weight", pa.float64()),  # the rankings of a comparison share a weight of 1
        ("judgment_ids", pa.list_(pa.int64())),
        ("annotators", pa.list_(pa.string())),  # pseudonyms
        ("is_adjudicated", pa.bool_()),
        ("confidence", pa.float64()),  # of the consensus that the dataset was frozen from; null: it was not
    ]
)
LABEL_SCHEMA = pa.schema(
    [
        ("group_id", pa.string()),
        ("split", pa.string()),
        ("prompt", pa.string()),
        ("completion", pa.string()),
        ("completion_id", pa.int64()),
        ("label", pa.bool_()),  # whether it is preferred to what it was compared with
        ("p_desirable", pa.float64()),  # mean of its p_chosen, or 1 - p_chosen, over its pairs
        ("weight", pa.float64()),
        ("judgment_ids", pa.list_(pa.int64())),
        ("annotators", pa.list_(pa.string())),
    ]
)


@dataclass
class Ranking:
    """A weak order of a comparison's completions, and who gave it."""

    comparison: int
    tiers: Tiers  # positions in the comparison
    judgment_ids: list[int] = field(default_factory=list)
    annotators: set[str] = field(default_factory=set)
    is_adjudicated: bool = False
    confidence: float | None = None


def ranking_rows(campaigns: Sequence[Campaign], chosen: DatasetFilter) -> list[dict[str, Any]]:
    """One row for each order that somebody gave a comparison; a consensus gives one row a comparison.

    A comparison's rows share a weight of 1 by their judgments. Completions of which nothing is said are left out, those
    known to be worse than the ranked ones come last in one tier.
    """
    found = list(_agreed(campaigns, chosen) if chosen.consensus else _given(campaigns, chosen))
    totals: dict[int, int] = defaultdict(int)
    for ranking in found:
        totals[ranking.comparison] += len(ranking.judgment_ids)
    completions = _completions_of(campaigns)
    texts = Completion.objects.select_related("prompt__prompt_set").in_bulk(
        {pk for ranking in found for pk in completions[ranking.comparison].values()}
    )
    kept = [ranking for ranking in found if totals[ranking.comparison] >= chosen.min_votes]
    rows = [_ranking_row(ranking, completions[ranking.comparison], texts, totals) for ranking in kept]
    return sorted(
        (row for row in rows if row is not None),
        key=lambda row: (row["group_id"], row["completion_ids"], json.dumps(row["tiers"])),
    )


def label_rows(campaigns: Sequence[Campaign], chosen: DatasetFilter) -> list[dict[str, Any]]:
    """One row for each completion that is preferred to others, or others to it, on the whole of its pairs."""
    found: dict[int, list[tuple[float, dict[str, Any]]]] = defaultdict(list)
    texts: dict[int, str] = {}
    for row in export.preference_rows(campaigns, chosen):
        found[row["chosen_id"]].append((row["p_chosen"], row))
        found[row["rejected_id"]].append((1 - row["p_chosen"], row))
        texts |= {row["chosen_id"]: row["chosen"], row["rejected_id"]: row["rejected"]}
    rows = [_label_row(pk, texts[pk], said) for pk, said in found.items()]
    kept = [row for row in rows if row["p_desirable"] != 0.5 and (row["completion"].strip() or not row["label"])]
    return sorted(kept, key=lambda row: (row["group_id"], row["completion_id"]))


def _given(campaigns: Sequence[Campaign], chosen: DatasetFilter) -> Iterator[Ranking]:
    """Judgments that say the same about a comparison as one; an adjudicator's stand instead of the others."""
    decided = export.adjudicated(campaigns, chosen)
    found: dict[tuple[int, str], Ranking] = {}
    for pk, comparison, purpose, answer, pseudonym in export.counted(campaigns, chosen):
        is_decision = purpose == Slot.Purpose.ADJUDICATION
        tiers = _all_tiers(answer)
        if not tiers or (comparison in decided and not is_decision):
            continue
        ranking = found.setdefault((comparison, json.dumps(tiers)), Ranking(comparison=comparison, tiers=tiers))
        ranking.judgment_ids.append(pk)
        ranking.annotators.add(str(pseudonym))
        ranking.is_adjudicated |= is_decision
    yield from found.values()


def _agreed(campaigns: Sequence[Campaign], chosen: DatasetFilter) -> Iterator[Ranking]:
    """What the consensus says about each comparison."""
    judgments = Judgment.objects.filter(comparison__campaign__in=campaigns)
    pseudonyms = dict(judgments.values_list("pk", "annotator__pseudonym").iterator(chunk_size=10_000))
    runs = consensus_verdicts.runs_of(campaigns, chosen.consensus)
    for row in Consensus.objects.filter(run__in=runs).exclude(tiers=None).order_by("pk").iterator(chunk_size=2000):
        yield Ranking(
            comparison=row.comparison_id,
            tiers=row.tiers or [],
            judgment_ids=row.judgment_ids,
            annotators={str(pseudonyms[pk]) for pk in row.judgment_ids},
            is_adjudicated=row.is_adjudicated,
            confidence=row.confidence,
        )


def _all_tiers(answer: dict[str, Any]) -> Tiers:
    """The tiers of an answer, with those outside a top k as the last one; nothing if it gives no order."""
    tiers: Tiers = list(answer.get("tiers") or [])
    worse = answer.get("unranked") if answer.get("unranked_is_worse") else None
    return [*tiers, list(worse)] if tiers and worse else tiers


def _completions_of(campaigns: Sequence[Campaign]) -> dict[int, dict[int, int]]:
    """Comparison → position → completion."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    placed = Candidate.objects.filter(comparison__campaign__in=campaigns)
    for comparison, position, completion in placed.values_list("comparison_id", "position", "completion_id"):
        found[comparison][position] = completion
    return found


def _ranking_row(
    ranking: Ranking, placed: dict[int, int], completions: dict[int, Completion], totals: dict[int, int]
) -> dict[str, Any] | None:
    """None where fewer than two completions are ranked, or two have the same text."""
    positions = sorted(position for tier in ranking.tiers for position in tier)
    shown = [completions[placed[position]] for position in positions]
    if len(shown) < 2 or len({completion.text for completion in shown}) < len(shown):
        return None
    prompt = shown[0].prompt
    return {
        **export.prompt_columns(prompt, prompt.prompt_set),
        "completions": [completion.text for completion in shown],
        "tiers": [sorted(positions.index(position) for position in tier) for tier in ranking.tiers],
        "completion_ids": [completion.pk for completion in shown],
        "weight": len(ranking.judgment_ids) / totals[ranking.comparison],
        "judgment_ids": ranking.judgment_ids,
        "annotators": sorted(ranking.annotators),
        "is_adjudicated": ranking.is_adjudicated,
        "confidence": ranking.confidence,
    }


def _label_row(pk: int, text: str, said: list[tuple[float, dict[str, Any]]]) -> dict[str, Any]:
    p_desirable = sum(p for p, _ in said) / len(said)
    first = said[0][1]
    return {
        **{name: first[name] for name in ("group_id", "split", "prompt")},
        "completion": text,
        "completion_id": pk,
        "label": p_desirable > 0.5,
        "p_desirable": p_desirable,
        "weight": 1.0,
        "judgment_ids": sorted({judgment for _, row in said for judgment in row["judgment_ids"]}),
        "annotators": sorted({name for _, row in said for name in row["annotators"]}),
    }
