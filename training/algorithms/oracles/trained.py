"""Oracles through the real trainer: run directories in a temporary folder, carried out to their end in this process."""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from training.algorithms.batches import collate, completion_logps, sum_by_completion
from training.algorithms.config import FreshModelConfig
from training.algorithms.execution import execute, quieten
from training.algorithms.models import fresh_language_model, load_language_model
from training.algorithms.oracles.check import Check
from training.algorithms.tokenisation import ChatTokeniser, load_tokenizer, train_tokenizer

REPLIES: Final = ("bee", "cat", "dog", "elk")
PROMPT: Final = [{"role": "user", "content": "Which?"}]
FRESH: Final = FreshModelConfig(
    vocab_size=280, hidden_size=32, intermediate_size=64, num_layers=1, num_heads=2, context_tokens=64
)
LIMITS: Final = {"max_prompt_tokens": 40, "max_completion_tokens": 8, "groups_by_length": False, "num_samples": 0}


class OracleRunFailed(RuntimeError):
    """The trainer could not carry out an order whose result would have been checked."""


def tabular_dpo() -> Iterator[Check]:
    """DPO on soft labels of a known reward ends at pi_ref exp(r / beta) / Z over the replies of one prompt."""
    rewards = dict(zip(REPLIES, (0.8, 0.1, -0.3, -1.0), strict=True))
    pairs = [(one, other) if rewards[one] > rewards[other] else (other, one) for one, other in combinations(REPLIES, 2)]
    rows = [
        {**row(), "chosen": better, "rejected": worse, "p_chosen": sigmoid(rewards[better] - rewards[worse])}
        for better, worse in pairs
    ]
    settings = {
        "soft_labels": True,
        "beta": 1.0,
        "batch_size": len(rows),
        "num_epochs": 250,
        "warmup_steps": 5,
        "learning_rate": 5e-3,
        "final_learning_rate": 0.0,
    }
    with tempfile.TemporaryDirectory() as folder:
        start = saved_model(Path(folder, "policy"))
        final = trained(Path(folder, "run"), "dpo", rows, settings, start)
        reference_K, policy_K = reply_logps(start), reply_logps(final)
    wanted_K = torch.softmax(reference_K + torch.tensor(list(rewards.values()), dtype=torch.float64), dim=0)
    distance = (torch.softmax(policy_K, dim=0) - wanted_K).abs().sum().item() / 2
    yield Check(name="tabular DPO, trained, total variation", expected=0.0, seen=distance, tolerance=1e-6)


def bradley_terry_accuracy() -> Iterator[Check]:
    """A reward model trained on noisy votes is as often right on held-out votes as the true strengths are."""
    strengths = dict(zip(REPLIES, (1.5, 0.5, -0.5, -1.5), strict=True))
    draw = random.Random(0)  # noqa: S311 -- a simulation
    rows: list[dict[str, Any]] = []
    for number in range(1_200):
        one, other = draw.sample(REPLIES, 2)
        is_first_better = draw.random() < sigmoid(strengths[one] - strengths[other])
        chosen, rejected = (one, other) if is_first_better else (other, one)
        rows.append({**row("train" if number < 600 else "held_out"), "chosen": chosen, "rejected": rejected})
    held_out = [item for item in rows if item["split"] == "held_out"]
    bayes = sum(strengths[item["chosen"]] > strengths[item["rejected"]] for item in held_out) / len(held_out)
    settings = {"batch_size": 50, "num_epochs": 2, "learning_rate": 3e-3, "warmup_steps": 2, "eval_examples": 1_000}
    for name, num_members in (("reward model", 1), ("ensemble of four heads", 4)):
        with tempfile.TemporaryDirectory() as folder:
            run, wanted = Path(folder, "run"), {**settings, "ensemble_size": num_members}
            trained(run, "reward", rows, wanted, saved_model(Path(folder, "policy")))
            events = [json.loads(line) for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines()]
        *_, last = (event["values"] for event in events if event["kind"] == "evaluation")
        seen = last["held_out_accuracy"]
        yield Check(name=f"{name}, trained, against Bayes accuracy", expected=bayes, seen=seen, tolerance=0.01)


def first_steps() -> Iterator[Check]:
    """The first loss of a run of each algorithm is its closed form."""
    pairs = [{**row(), "chosen": "bee", "rejected": "cat"}, {**row(), "chosen": "dog", "rejected": "a gnu"}]
    labels = [
        {**row(), "completion": "bee", "label": True},
        {**row(prompt="Who?"), "completion": "a gnu", "label": False},
    ]
    for name, algorithm, rows, settings, expected in (
        ("DPO", "dpo", pairs, {}, 0.693147),
        ("IPO", "dpo", pairs, {"loss": "ipo"}, 25.0),
        ("hinge", "dpo", pairs, {"loss": "hinge"}, 1.0),
        ("KTO", "kto", labels, {}, 0.5),
        ("reward model", "reward", pairs, {}, 0.693147),
    ):
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder, "run")
            start = saved_model(Path(folder, "policy"))
            trained(run, algorithm, rows, {"max_steps": 1, **settings}, start)
            events = [json.loads(line) for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines()]
        seen = next(event["values"]["loss"] for event in events if event["kind"] == "step")
        yield Check(name=f"first loss of a run, {name}", expected=expected, seen=seen, tolerance=2e-4)


def sigmoid(value: float) -> float:
    """1 / (1 + e^-value)."""
    return float(torch.sigmoid(torch.tensor(value, dtype=torch.float64)))


def row(split: str = "train", *, prompt: str = "Which?") -> dict[str, Any]:
    """What the rows of all layouts share."""
    return {"prompt": json.dumps([{"role": "user", "content": prompt}]), "weight": 1.0, "split": split}


def saved_model(folder: Path) -> str:
    """A small random policy on disk."""
    quieten()
    tokenizer = train_tokenizer([f"Which? {' '.join(REPLIES)}"], vocab_size=FRESH.vocab_size)
    fresh_language_model(FRESH, tokenizer, seed=0).network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def trained(
    directory: Path, algorithm: str, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], start: str
) -> str:
    """The folder of the final model of a run. Raises `OracleRunFailed` with what the run says."""
    write_order(directory, algorithm, rows, settings, start)
    return carried_out(directory)


def write_order(
    directory: Path, algorithm: str, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any], start: str
) -> None:
    """A run directory for the trainer."""
    directory.mkdir()
    pq.write_table(pa.Table.from_pylist(list(rows)), directory / "data.parquet")
    spec = {
        "version": 1,
        "algorithm": algorithm,
        "seed": 0,
        "config": {**LIMITS, **settings},
        "init_model": start,
        "reward_model": None,
        "data_sha256": hashlib.sha256((directory / "data.parquet").read_bytes()).hexdigest(),
        "num_threads": 1,  # networks this small gain nothing from more
    }
    (directory / "spec.json").write_text(json.dumps(spec), encoding="utf-8")


def carried_out(directory: Path) -> str:
    """The folder of the final model of a run. Raises `OracleRunFailed` with what the run says."""
    num_threads = torch.get_num_threads()
    try:
        exit_code = execute(directory, is_stop_requested=lambda: False)
    finally:
        torch.set_num_threads(num_threads)
    if exit_code != 0:
        raise OracleRunFailed((directory / "failure.json").read_text(encoding="utf-8"))
    return str(max((directory / "checkpoints").iterdir()))


@torch.no_grad()
def reply_logps(model: str) -> Tensor:
    """log pi of each of `REPLIES`, its stop token included, in float64 on one tree; shape (K,)."""
    policy = load_language_model(model)
    policy.network.double()
    tokeniser = ChatTokeniser(load_tokenizer(model), max_prompt_tokens=40, max_completion_tokens=8)
    batch = collate([tokeniser.tree(PROMPT, REPLIES)], pad_id=tokeniser.pad_id)
    return sum_by_completion(completion_logps(policy, batch).logps_N, batch).double()
