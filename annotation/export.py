"""From judgments to a frozen dataset: rows in a fixed order and schema, written once, hashed."""

import hashlib
import json
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotation import consensus_verdicts
from annotation.answers import pairs_of
from annotation.consensus_verdicts import Verdict
from annotation.dataset_filter import DatasetFilter
from annotation.models import Campaign, Candidate, ConsensusRun, Judgment, Slot
from annotation.querysets import JudgmentQuerySet
from core.errors import ConcordError
from generation.models import Completion, Prompt, PromptSet
from generation.splits import split_of

PREFERENCE_SCHEMA = pa.schema(
    [
        ("group_id", pa.string()),  # the prompt's fingerprint
        ("split", pa.string()),  # "train" or "held_out", by fingerprint
        ("prompt", pa.string()),  # JSON list of {role, content}
        ("chosen", pa.string()),
        ("rejected", pa.string()),
        ("chosen_id", pa.int64()),  # completions
        ("rejected_id", pa.int64()),
        ("votes_chosen", pa.int32()),
        ("votes_rejected", pa.int32()),
        ("votes_tied", pa.int32()),
        ("p_chosen", pa.float64()),  # (votes for + half the ties) / votes
        ("strength", pa.float64()),  # mean over the votes for; null: the question did not ask for one
        ("weight", pa.float64()),
        ("judgment_ids", pa.list_(pa.int64())),
        ("annotators", pa.list_(pa.string())),  # pseudonyms
        ("is_adjudicated", pa.bool_()),  # decided by an adjudicator instead of by votes
        ("confidence", pa.float64()),  # of the consensus that the dataset was frozen from; null: it was not
    ]
)
DEMONSTRATION_SCHEMA = pa.schema(
    [
        ("group_id", pa.string()),
        ("split", pa.string()),
        ("prompt", pa.string()),
        ("completion", pa.string()),
        ("completion_id", pa.int64()),  # null: the prompt's reference answer
        ("judgment_ids", pa.list_(pa.int64())),
    ]
)
PARQUET_NAME, JSONL_NAME = "data.parquet", "data.jsonl"


class NothingToFreeze(ConcordError):
    """No row is left."""

    status = 422
    title = "The dataset would be empty"


@dataclass
class PairVotes:
    """What was said about two completions of a prompt, whichever comparison showed them."""

    votes: Counter[int] = field(default_factory=Counter)  # completion id → times preferred; 0 → ties
    judgment_ids: list[int] = field(default_factory=list)
    annotators: set[str] = field(default_factory=set)
    strengths: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  # of the votes for each
    is_adjudicated: bool = False
    verdicts: list[Verdict] = field(default_factory=list)  # of the consensus, if it decides

    def winner_of(self, pair: tuple[int, int]) -> int:
        """The completion that is better, by the consensus if there is one; 0 if neither is."""
        said = Counter(verdict.winner for verdict in self.verdicts) if self.verdicts else self.votes
        if said[pair[0]] == said[pair[1]]:
            return 0
        return max(pair, key=lambda pk: said[pk])

    def p_of(self, winner: int, pair: tuple[int, int]) -> float:
        """How likely the winner is the better one: by the consensus, otherwise by votes, a tie half a vote."""
        known = [verdict.p_lower for verdict in self.verdicts if verdict.p_lower is not None]
        if known:
            p_lower = sum(known) / len(known)
            return p_lower if winner == pair[0] else 1 - p_lower
        num_votes = self.votes.total()
        return (self.votes[winner] + self.votes[0] / 2) / num_votes if num_votes else 1.0

    @property
    def confidence(self) -> float | None:
        known = [verdict.confidence for verdict in self.verdicts if verdict.confidence is not None]
        return min(known) if known else None


def preference_rows(campaigns: Sequence[Campaign], chosen: DatasetFilter) -> list[dict[str, Any]]:
    """One row for each pair of completions with more votes on one side, in a reproducible order."""
    votes = _count_votes(campaigns, chosen)
    ids = {pk for pair in votes for pk in pair}
    completions = Completion.objects.select_related("prompt__prompt_set").in_bulk(ids)
    rows = [_pair_row(completions, pair, tally) for pair, tally in votes.items()]
    kept = [row for row in rows if row is not None and _passes(row, chosen)]
    return sorted(kept, key=lambda row: (row["group_id"], row["chosen_id"], row["rejected_id"]))


def best_completion_rows(campaigns: Sequence[Campaign], chosen: DatasetFilter) -> list[dict[str, Any]]:
    """One demonstration a prompt: the completion that was preferred most often."""
    best: dict[str, dict[str, Any]] = {}
    wins: Counter[int] = Counter()
    rows = preference_rows(campaigns, chosen)
    for row in rows:
        wins[row["chosen_id"]] += row["votes_chosen"]
    for row in rows:
        known = best.get(row["group_id"])
        if known is None or wins[row["chosen_id"]] > wins[known["completion_id"]]:
            best[row["group_id"]] = {
                "group_id": row["group_id"],
                "split": row["split"],
                "prompt": row["prompt"],
                "completion": row["chosen"],
                "completion_id": row["chosen_id"],
                "judgment_ids": row["judgment_ids"],
            }
    return [best[key] for key in sorted(best)]


def demonstration_rows(prompt_set: PromptSet) -> list[dict[str, Any]]:
    """One row for each written or imported reply; a prompt that has none gives its reference answer, if it has one."""
    shown = Completion.objects.filter(prompt__prompt_set=prompt_set).exclude(origin=Completion.Origin.SAMPLED)
    replies: dict[int, list[Completion]] = defaultdict(list)
    for completion in shown.order_by("pk"):
        replies[completion.prompt_id].append(completion)
    return [
        {**prompt_columns(prompt, prompt_set), "completion": text, "completion_id": pk, "judgment_ids": []}
        for prompt in prompt_set.prompts.order_by("fingerprint")
        for pk, text in _replies(prompt, replies[prompt.pk])
    ]


def _replies(prompt: Prompt, shown: Sequence[Completion]) -> list[tuple[int | None, str]]:
    """(completion id, text) of what the prompt demonstrates; the reference answer is no completion and has no id."""
    if shown:
        return [(reply.pk, reply.text) for reply in shown if reply.text.strip()]
    return [(None, prompt.reference)] if prompt.reference else []


def _count_votes(campaigns: Sequence[Campaign], chosen: DatasetFilter) -> dict[tuple[int, int], PairVotes]:
    """(lower completion id, higher) → votes, over the current judgments of all campaigns."""
    candidates: dict[int, dict[int, int]] = defaultdict(dict)
    placed = Candidate.objects.filter(comparison__campaign__in=campaigns)
    for comparison_id, position, completion_id in placed.values_list("comparison_id", "position", "completion_id"):
        candidates[comparison_id][position] = completion_id
    decided = adjudicated(campaigns, chosen)
    votes: dict[tuple[int, int], PairVotes] = defaultdict(PairVotes)
    for pk, comparison_id, purpose, answer, pseudonym in counted(campaigns, chosen):
        is_decision = purpose == Slot.Purpose.ADJUDICATION
        if comparison_id in decided and not is_decision:
            continue  # an adjudicator's answer stands instead of the votes
        for pair, winner in _said(answer, candidates[comparison_id]):  # of "can't judge" nothing: it is not a tie
            tally = votes[pair]
            tally.votes[winner] += 1
            tally.judgment_ids.append(pk)
            if winner and answer.get("strength"):
                tally.strengths[winner].append(answer["strength"])
            tally.annotators.add(str(pseudonym))
            tally.is_adjudicated |= is_decision
    if chosen.consensus:
        _add_verdicts(votes, consensus_verdicts.runs_of(campaigns, chosen.consensus), candidates)
    return votes


def counted(campaigns: Sequence[Campaign], chosen: DatasetFilter) -> Iterable[tuple[Any, ...]]:
    """Judgments that count: main ones and decisions, neither gold nor repeats."""
    purposes = [Slot.Purpose.MAIN, Slot.Purpose.ADJUDICATION]
    rows = _standing(chosen).filter(comparison__campaign__in=campaigns, purpose__in=purposes)
    kept = rows.exclude(annotator__in=chosen.excluded_annotators).order_by("pk")
    columns = kept.values_list("pk", "comparison_id", "purpose", "answer", "annotator__pseudonym")
    return columns.iterator(chunk_size=10_000)


def adjudicated(campaigns: Sequence[Campaign], chosen: DatasetFilter) -> set[int]:
    """Comparisons that an adjudicator who counts has put into an order."""
    rows = _standing(chosen).filter(
        comparison__campaign__in=campaigns, purpose=Slot.Purpose.ADJUDICATION, answer__has_key="tiers"
    )
    kept = rows.exclude(annotator__in=chosen.excluded_annotators)
    return set(kept.values_list("comparison_id", flat=True))


def _standing(chosen: DatasetFilter) -> JudgmentQuerySet:
    """Judgments that no revision had replaced, now or at the moment that the filter names."""
    if chosen.moment is None:
        return Judgment.objects.current()
    return Judgment.objects.standing_at(chosen.moment)


def _add_verdicts(
    votes: dict[tuple[int, int], PairVotes], runs: Sequence[ConsensusRun], candidates: dict[int, dict[int, int]]
) -> None:
    """Let the consensus decide; pairs about which it says nothing are left out."""
    found = consensus_verdicts.verdicts(runs, candidates)
    for pair, said in found.items():
        votes[pair].verdicts = said
        votes[pair].is_adjudicated |= any(verdict.is_adjudicated for verdict in said)
    for pair in set(votes) - set(found):
        del votes[pair]


def _said(answer: dict[str, Any], completions: dict[int, int]) -> Iterable[tuple[tuple[int, int], int]]:
    """((lower id, higher id), winner's id or 0 for a tie) of every two completions."""
    pairs = pairs_of(answer)
    for winner, loser in pairs.preferences:
        first, second = sorted((completions[winner], completions[loser]))
        yield (first, second), completions[winner]
    for one, other in pairs.ties:
        first, second = sorted((completions[one], completions[other]))
        yield (first, second), 0


def _pair_row(completions: dict[int, Completion], pair: tuple[int, int], tally: PairVotes) -> dict[str, Any] | None:
    """None for an exact tie, two equal texts, or silence as the better one: there is nothing to learn."""
    winner = tally.winner_of(pair)
    if not winner:
        return None
    loser = pair[0] if winner == pair[1] else pair[1]
    better, worse = completions[winner], completions[loser]
    if better.text == worse.text or not better.text.strip():
        return None
    return {
        **prompt_columns(better.prompt, better.prompt.prompt_set),
        "chosen": better.text,
        "rejected": worse.text,
        "chosen_id": winner,
        "rejected_id": loser,
        "votes_chosen": tally.votes[winner],
        "votes_rejected": tally.votes[loser],
        "votes_tied": tally.votes[0],
        "p_chosen": tally.p_of(winner, pair),
        "strength": fmean(tally.strengths[winner]) if tally.strengths[winner] else None,
        "weight": 1.0,
        "judgment_ids": tally.judgment_ids,
        "annotators": sorted(tally.annotators),
        "is_adjudicated": tally.is_adjudicated,
        "confidence": tally.confidence,
    }


def prompt_columns(prompt: Prompt, prompt_set: PromptSet) -> dict[str, Any]:
    return {
        "group_id": prompt.fingerprint,
        "split": split_of(prompt.fingerprint, prompt_set.held_out_fraction),
        "prompt": json.dumps(prompt.messages, ensure_ascii=False),
    }


def _passes(row: dict[str, Any], chosen: DatasetFilter) -> bool:
    num_votes = row["votes_chosen"] + row["votes_rejected"] + row["votes_tied"]
    return bool(num_votes >= chosen.min_votes and row["p_chosen"] >= chosen.min_p_chosen)


def write_files(folder: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> tuple[str, str]:
    """Write both files beside `folder`, then move them there at once; returns their SHA-256 (Parquet, JSONL)."""
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), scratch / PARQUET_NAME, compression="zstd")
        with (scratch / JSONL_NAME).open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        hashes = file_sha256(scratch / PARQUET_NAME), file_sha256(scratch / JSONL_NAME)
        shutil.rmtree(folder, ignore_errors=True)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return hashes


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
