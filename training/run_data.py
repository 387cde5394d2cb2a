"""What a training process reads of a frozen dataset: the columns of its algorithm, in the layout that it knows."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from annotation.models import Dataset
from generation.models import PromptSet
from generation.splits import split_of
from training.models import TrainingRun

PAIR_COLUMNS = ["prompt", "chosen", "rejected", "weight", "split", "group_id", "p_chosen", "strength"]
VOTES = ["votes_chosen", "votes_rejected", "votes_tied"]


def table_for(algorithm: str, kind: str, path: Path) -> pa.Table:
    """The rows of a dataset of this kind as the algorithm wants them; `run-directory.md` lists the columns."""
    if kind == Dataset.Kind.DEMONSTRATIONS:
        return _columns(path, ["prompt", "completion", "split"])
    if kind == Dataset.Kind.RANKINGS:
        return _columns(path, ["prompt", "completions", "tiers", "weight", "split", "group_id"])
    if kind == Dataset.Kind.LABELS:
        return _columns(path, ["prompt", "completion", "label", "weight", "split", "group_id"])
    if algorithm == TrainingRun.Algorithm.KTO:
        return labels_of(_columns(path, ["prompt", "chosen", "rejected", "weight", "split", "group_id"]))
    return with_ties(_columns(path, [*PAIR_COLUMNS, *VOTES]))


def prompts_of(prompt_set: PromptSet) -> pa.Table:
    """The prompts of a set, as PPO wants them."""
    prompts = list(prompt_set.prompts.order_by("fingerprint"))
    return pa.table(
        {
            "prompt": [json.dumps(prompt.messages, ensure_ascii=False) for prompt in prompts],
            "split": [split_of(prompt.fingerprint, prompt_set.held_out_fraction) for prompt in prompts],
        }
    )


def _columns(path: Path, names: Sequence[str]) -> pa.Table:
    """Those of the columns that the file has; datasets that were frozen long ago lack the newest."""
    known = pq.read_schema(path).names
    return pq.read_table(path, columns=[name for name in names if name in known])


def with_ties(pairs: pa.Table) -> pa.Table:
    """Pairs with the share of ties among their votes instead of the votes.

    A consensus may be surer than its votes: p_tied stays within what p_chosen, which counts half of it, leaves room
    for.
    """
    chosen, rejected, tied = (pc.cast(pairs[name], pa.float64()) for name in VOTES)
    total = pc.max_element_wise(pc.add(pc.add(chosen, rejected), tied), 1.0)
    p_chosen = pairs["p_chosen"]
    room = pc.multiply(pc.min_element_wise(p_chosen, pc.subtract(1.0, p_chosen)), 2.0)
    share = pc.min_element_wise(pc.divide(tied, total), pc.max_element_wise(room, 0.0))
    return pairs.drop_columns(VOTES).append_column("p_tied", share)


def labels_of(pairs: pa.Table) -> pa.Table:
    """Every reply once a prompt: wanted if it is the chosen one of more pairs than the rejected one."""
    balance: dict[tuple[str, str], int] = {}
    first: dict[tuple[str, str], dict[str, object]] = {}
    for row in pairs.to_pylist():
        for side, step in (("chosen", 1), ("rejected", -1)):
            key = (row["group_id"], row[side])
            first.setdefault(key, row)
            balance[key] = balance.get(key, 0) + step
    kept = {key: row for key, row in first.items() if balance[key]}
    shared = ["prompt", "weight", "split", "group_id"]
    columns = {name: [row[name] for row in kept.values()] for name in shared}
    said = {"completion": [text for _, text in kept], "label": [balance[key] > 0 for key in kept]}
    return pa.table({**columns, **said})
