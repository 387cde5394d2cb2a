"""Small real parts for these tests: a tokenizer, models and run directories, built in memory or under tmp_path."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from torch import nn
from transformers import PreTrainedTokenizerFast

from training.algorithms.config import FreshModelConfig
from training.algorithms.execution import execute
from training.algorithms.models import LanguageModel, RewardModel, fresh_language_model, reward_model_from, score_head
from training.algorithms.tokenisation import ChatTokeniser, TokenTree, train_tokenizer

WORDS = ("bee", "cat", "dog", "elk", "fox", "gnu", "hen", "owl")
TINY = {
    "vocab_size": 280,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_layers": 2,
    "num_heads": 2,
    "context_tokens": 64,
}
ROOT = Path(__file__).parents[3]


@cache
def tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of 280 tokens."""
    return train_tokenizer([f"Say {word}." for word in WORDS], vocab_size=280)


def tokeniser(*, max_prompt_tokens: int = 48, max_completion_tokens: int = 16) -> ChatTokeniser:
    """A chat tokeniser with small limits."""
    return ChatTokeniser(tokenizer(), max_prompt_tokens=max_prompt_tokens, max_completion_tokens=max_completion_tokens)


def language_model(seed: int = 0) -> LanguageModel:
    """A tiny Llama with random weights."""
    return fresh_language_model(FreshModelConfig(**TINY), tokenizer(), seed=seed)


def saved_model(folder: Path, seed: int = 0) -> str:
    """A tiny policy on disk, as a checkpoint has it."""
    language_model(seed).network.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return str(folder)


def reward_model(folder: Path) -> RewardModel:
    """A reward model on a tiny backbone, its head not zero."""
    model = reward_model_from(saved_model(folder), pad_id=0)
    nn.init.normal_(score_head(model.network).weight)
    return model


def saved_reward_model(folder: Path) -> str:
    """A tiny reward model on disk, its head not zero."""
    reward_model(folder).network.save_pretrained(folder)
    return str(folder)


def ask(text: str) -> list[dict[str, str]]:
    """A conversation of one user turn."""
    return [{"role": "user", "content": text}]


def trees() -> list[TokenTree]:
    """Trees of two completions with different lengths of everything."""
    return [
        tokeniser().tree(ask(f"Say {' '.join(WORDS[:n])}."), [WORDS[n], f"{WORDS[0]} {WORDS[n]}"]) for n in (1, 3, 2)
    ]


def rows(algorithm: str, num_rows: int = 16) -> list[dict[str, Any]]:
    """Rows of data.parquet: a quarter held out."""
    made: list[dict[str, Any]] = []
    for number in range(num_rows):
        word, other = WORDS[number % 8], WORDS[(number + 3) % 8]
        row: dict[str, Any] = {
            "prompt": json.dumps(ask(f"Say {word} number {number}.")),
            "split": "held_out" if number % 4 == 3 else "train",
        }
        if algorithm == "sft":
            row["completion"] = word
        if algorithm in ("reward", "dpo", "orpo", "simpo"):
            row |= {"chosen": word, "rejected": other, "weight": 1.0, "group_id": str(number)}
        if algorithm == "kto":
            row |= {"completion": word, "label": number % 3 != 0, "weight": 1.0, "group_id": str(number)}
        made.append(row)
    return made


def ranking_rows(num_rows: int = 16) -> list[dict[str, Any]]:
    """Rows of data.parquet with three replies each, every other one with a tie."""
    return [
        {
            **row,
            "completions": [WORDS[number % 8], f"{WORDS[(number + 1) % 8]} owl", WORDS[(number + 2) % 8]],
            "tiers": [[2], [0, 1]] if number % 2 else [[1], [2], [0]],
            "weight": 1.0,
            "group_id": str(number),
        }
        for number, row in enumerate(rows("ppo", num_rows))
    ]


def order(
    directory: Path,
    algorithm: str,
    config: Mapping[str, Any],
    *,
    data: Sequence[Mapping[str, Any]] | None = None,
    init_model: str | None = None,
    reward_model: str | None = None,
    held_out_reward_model: str | None = None,
) -> Path:
    """A run directory with its spec and data; limits fit the tiny model."""
    directory.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(list(rows(algorithm) if data is None else data)), directory / "data.parquet")
    limits = {"max_prompt_tokens": 40, "max_completion_tokens": 8, "batch_size": 4, "warmup_steps": 0}
    spec = {
        "version": 1,
        "algorithm": algorithm,
        "seed": 0,
        "config": {**limits, **({"fresh": TINY} if algorithm == "sft" else {}), **config},
        "init_model": init_model,
        "reward_model": reward_model,
        "held_out_reward_model": held_out_reward_model,
        "data_sha256": hashlib.sha256((directory / "data.parquet").read_bytes()).hexdigest(),
        "num_threads": 1,
    }
    (directory / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    return directory


def start(directory: Path) -> subprocess.Popen[str]:
    """The training process of a run directory."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-m", "training.algorithms.run", str(directory)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE)


def carry_out(directory: Path) -> int:
    """Run it to its end in this process, which is quicker than one of its own; the exit code."""
    return execute(directory, is_stop_requested=lambda: False)


def events(directory: Path, kind: str) -> list[dict[str, Any]]:
    """Whole events of one kind."""
    lines = (directory / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["kind"] == kind]


def failure(directory: Path) -> dict[str, str]:
    """What failure.json says."""
    said: dict[str, str] = json.loads((directory / "failure.json").read_text(encoding="utf-8"))
    return said
