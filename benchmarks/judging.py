"""A recorded judge against the crowd: GPT-4's verdicts in the llmfao data, replayed through the judging code.

    python -m benchmarks.judging DATA [--quick] [--resamples N]

DATA is a folder with llmfao's `gpt4-crowd-comparisons.csv`, `crowd-comparisons.csv`, `pairs-crowd.jsonl.gz` and
`models.jsonl`. Each recorded verdict becomes a reply in MT-Bench's form (`[[A]]`), is planned, read and combined as a
reply of a live model would be, and the judgments are held against the workers' votes on the same pairs, beside the
workers' agreement with each other and the rule "the longer reply wins". `--quick` takes 200 resamples.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import platform
import time
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from annotation.agreement import NUM_RESAMPLES, Agreement
from annotation.judging import Item, Judged, JudgeSpec, TextReply, make_spec
from annotation.judging.calibration import (
    PeopleAgreement,
    RaterAgreement,
    agreement_with_people,
    flip_rates,
    num_list_items,
    position_bias,
    sign_of_own_family,
    trait_preference,
)
from annotation.judging.recorded import Record, RecordedReplies, replay
from annotation.quality import Share, sign_of_longer
from annotation.question import pairwise

REPLIES = {"left": "[[A]]", "right": "[[B]]", "tie": "[[C]]"}
OWN_FAMILY = "OpenAI"  # who made the recorded judge
SIGNS = {"left": 1, "right": -1, "tie": 0}


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """The judged pairs, what the judge replied, and people's votes as columns."""

    items: dict[Hashable, Item]
    replies: RecordedReplies
    families: dict[Hashable, tuple[str, str]]
    vote_comparisons: list[int]
    vote_values: list[int]  # 1 where the completion with index 0 (`model_x`) was preferred


def load(folder: Path) -> Recorded:
    """The recorded verdicts and votes; completion 0 is `model_x`, completion 1 `model_y`."""
    models = {row["id"]: row for row in json_lines(folder / "models.jsonl")}
    pairs = {row["id"]: row for row in json_lines(folder / "pairs-crowd.jsonl.gz")}
    items: dict[Hashable, Item] = {}
    records = []
    for row in csv_rows(folder / "gpt4-crowd-comparisons.csv"):
        pair = pairs[int(row["id"])]
        order = (0, 1) if row["left"] == models[pair["model_x"]]["name"] else (1, 0)
        items[pair["id"]] = Item(
            prompt=({"role": "user", "content": pair["text"]},),
            texts=(pair["result_x"], pair["result_y"]),
            question=pairwise(),
            display_order=order,
        )
        reply = TextReply(text=REPLIES[row["winner"]])
        records.append(Record(comparison=pair["id"], display_order=order, reply=reply))
    votes = csv_rows(folder / "crowd-comparisons.csv")
    is_left_first = [row["left"] == models[int(row["model_x"])]["name"] for row in votes]
    return Recorded(
        items=items,
        replies=RecordedReplies(records),
        families={
            number: (models[pairs[number]["model_x"]]["org"], models[pairs[number]["model_y"]]["org"])
            for number in pairs
        },
        vote_comparisons=[int(row["id"]) for row in votes],
        vote_values=[
            SIGNS[row["winner"]] if is_first else -SIGNS[row["winner"]]
            for row, is_first in zip(votes, is_left_first, strict=True)
        ],
    )


def measure(data: Recorded, spec: JudgeSpec, num_resamples: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metrics of the replayed judge, and what is known about the replay itself."""
    started = time.perf_counter()
    judged = replay(spec, data.items, data.replies)
    seconds = time.perf_counter() - started
    names = list(data.items)
    values = np.array([value_of(judged[name]) for name in names])
    texts = [data.items[name].texts for name in names]
    lengths = sign_of_longer([len(first) for first, _ in texts], [len(second) for _, second in texts])
    lists = np.sign([num_list_items(first) - num_list_items(second) for first, second in texts])
    families = [data.families[name] for name in names]
    own = sign_of_own_family([first for first, _ in families], [second for _, second in families], OWN_FAMILY)
    is_first_left = [data.items[name].display_order == (0, 1) for name in names]
    swapped = np.full(len(names), np.nan)  # no pair was recorded in both orders
    people = agreement_with_people(
        data.vote_comparisons,
        data.vote_values,
        judge_comparisons=names,
        judge_values=values,
        longer=lengths,
        num_resamples=num_resamples,
    )
    metrics = agreement_metrics(people)
    flips = flip_rates(values, swapped, is_first_left)
    metrics |= {"flip_rate": metric(flips.disagreeing), "reversal_rate": metric(flips.reversed)}
    metrics["judge_prefers_left"] = metric(position_bias(values, is_first_left))
    for trait, signs in (("longer", lengths), ("more_list_items", lists), ("own_family", own)):
        found = trait_preference(
            data.vote_comparisons,
            data.vote_values,
            judge_comparisons=names,
            judge_values=values,
            judge_trait=signs,
            num_resamples=num_resamples,
        )
        metrics[f"judge_prefers_{trait}"] = metric(found.judge)
        metrics[f"people_prefer_{trait}"] = metric(found.people)
        metrics[f"preference_for_{trait}_judge_minus_people"] = metric(found.difference)
        metrics[f"judge_agrees_where_people_prefer_{trait}"] = metric(found.agrees_if_people_do)
        metrics[f"judge_agrees_where_people_do_not_prefer_{trait}"] = metric(found.agrees_if_people_do_not)
    replayed = {
        "comparisons": len(judged),
        "verdicts": sum(one.answer is not None for one in judged.values()),
        "unparsed": sum(one.num_unparsed for one in judged.values()),
        "ties": int((values == 0).sum()),
        "votes": len(data.vote_values),
        "seconds": round(seconds, 3),
    }
    return metrics, replayed


def agreement_metrics(people: PeopleAgreement) -> dict[str, Any]:
    """The judge's figures with those of people as their peer."""
    metrics: dict[str, Any] = {}
    for name in ("raw", "without_ties", "kappa", "alpha", "ac1", "with_consensus"):
        judge, crowd = getattr(people.judge, name), getattr(people.people, name)
        metrics[f"judge_people_{name}"] = metric(judge, peer=crowd)
        metrics[f"people_people_{name}"] = metric(crowd)
        metrics[f"longer_people_{name}"] = metric(getattr(longer_of(people), name), peer=crowd)
    metrics["judge_minus_people"] = metric(people.judge_minus_people)
    return metrics


def longer_of(people: PeopleAgreement) -> RaterAgreement:
    """The rule's agreement, which is there because lengths were given."""
    assert people.longer is not None
    return people.longer


def value_of(judged: Judged) -> float:
    """1, 0 or -1 for completion 0; NaN without an order."""
    if judged.tiers is None:
        return float("nan")
    return 0.0 if len(judged.tiers) == 1 else (1.0 if judged.tiers[0] == [0] else -1.0)


def metric(found: Agreement | Share, *, peer: Agreement | Share | None = None) -> dict[str, Any]:
    """One figure with its interval and n, or with the reason why there is none; the peer is people's own agreement."""
    theirs = None if peer is None else peer.value
    both = found.value is not None and theirs
    return {
        "value": None if found.value is None else round(found.value, 4),
        "unit": "1",
        "interval": None if found.interval is None else [round(end, 4) for end in found.interval],
        "n": found.n,
        "reason": found.reason,
        "peer": None if peer is None else "people with each other",
        "peer_value": None if theirs is None else round(theirs, 4),
        "ratio": round(found.value / theirs, 3) if both and found.value is not None and theirs else None,
    }


def json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines, which may be compressed."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def csv_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Replay and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--resamples", type=int)
    arguments = parser.parse_args()
    num_resamples = arguments.resamples or (200 if arguments.quick else NUM_RESAMPLES)
    spec = make_spec("pairwise_verdict", orders="balanced")
    metrics, replayed = measure(load(arguments.data), spec, num_resamples)
    settings = {"judge": spec.hash, "template": spec.template.label, "resamples": num_resamples, **replayed}
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"name": "judging", "metrics": metrics, "settings": settings, "machine": machine}))


if __name__ == "__main__":
    main()
