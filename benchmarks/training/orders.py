"""The same work for both sides: run directories for our trainer, rows of token ids for TRL's."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from annotation.pair_lines import PreferencePair
from benchmarks.training.dialogues import Ranking
from training.algorithms.tokenisation import ChatTokeniser, load_tokenizer

Rows = list[dict[str, Any]]


def write_order(
    directory: Path,
    *,
    algorithm: str,
    config: dict[str, Any],
    rows: Rows,
    model: Path,
    reward_model: Path | None = None,
    threads: int,
) -> Path:
    """A run directory as the platform leaves it for the training process."""
    directory.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), directory / "data.parquet")
    spec = {
        "version": 1,
        "algorithm": algorithm,
        "seed": 0,
        "config": config,
        "init_model": str(model),
        "reward_model": None if reward_model is None else str(reward_model),
        "data_sha256": hashlib.sha256((directory / "data.parquet").read_bytes()).hexdigest(),
        "num_threads": threads,
    }
    (directory / "spec.json").write_text(json.dumps(spec))
    return directory


def pair_rows(pairs: Sequence[PreferencePair]) -> Rows:
    """Rows of orders for reward models and DPO."""
    return [
        {
            "prompt": json.dumps(pair.messages),
            "chosen": pair.chosen,
            "rejected": pair.rejected,
            "weight": 1.0,
            "split": "train",
            "group_id": str(number),
        }
        for number, pair in enumerate(pairs)
    ]


def demonstration_rows(pairs: Sequence[PreferencePair]) -> Rows:
    """Rows of orders for SFT: the chosen replies."""
    return [{"prompt": json.dumps(pair.messages), "completion": pair.chosen, "split": "train"} for pair in pairs]


def prompt_rows(pairs: Sequence[PreferencePair]) -> Rows:
    """Rows of orders for PPO."""
    return [{"prompt": json.dumps(pair.messages), "split": "train"} for pair in pairs]


def ranking_rows(rankings: Sequence[Ranking]) -> Rows:
    """Rows of orders for reward models on rankings, best first, without ties."""
    return [
        {
            "prompt": json.dumps(ranking.messages),
            "completions": ranking.replies,
            "tiers": [[place] for place in range(len(ranking.replies))],
            "weight": 1.0,
            "split": "train",
            "group_id": str(number),
        }
        for number, ranking in enumerate(rankings)
    ]


def labelled_rows(pairs: Sequence[PreferencePair]) -> Rows:
    """Rows of orders for KTO: every reply by itself, good or bad."""
    return [
        {
            "prompt": json.dumps(pair.messages),
            "completion": reply,
            "label": label,
            "weight": 1.0,
            "split": "train",
            "group_id": str(number),
        }
        for number, pair in enumerate(pairs)
        for reply, label in ((pair.chosen, True), (pair.rejected, False))
    ]


def expanded(rankings: Sequence[Ranking]) -> list[PreferencePair]:
    """The K(K-1)/2 pairs of every ranking, as a trainer without rankings wants them."""
    return [
        PreferencePair(messages=ranking.messages, chosen=better, rejected=worse)
        for ranking in rankings
        for better, worse in itertools.combinations(ranking.replies, 2)
        if better != worse
    ]


class PeerRows:
    """Rows for TRL with the tokens that our side computes from the same texts, truncation included."""

    def __init__(self, model: Path, *, max_prompt_tokens: int, max_completion_tokens: int) -> None:
        self._tokeniser = ChatTokeniser(
            load_tokenizer(str(model)),
            max_prompt_tokens=max_prompt_tokens,
            max_completion_tokens=max_completion_tokens,
        )

    def dpo(self, pairs: Sequence[PreferencePair]) -> Rows:
        """Rows for `DPOTrainer`; the length is that of the longer sequence."""
        rows = []
        for pair in pairs:
            tree = self._tokeniser.tree(pair.messages, [pair.chosen, pair.rejected])
            prompt, (chosen, rejected) = list(tree.prompt), map(list, tree.completions)
            length = len(prompt) + max(len(chosen), len(rejected))
            rows.append({"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected, "length": length})
        return rows

    def reward(self, pairs: Sequence[PreferencePair]) -> Rows:
        """Rows for `RewardTrainer`: whole sequences."""
        return [
            {
                "chosen_ids": row["prompt_ids"] + row["chosen_ids"],
                "rejected_ids": row["prompt_ids"] + row["rejected_ids"],
                "length": row["length"],
            }
            for row in self.dpo(pairs)
        ]

    def sft(self, pairs: Sequence[PreferencePair]) -> Rows:
        """Rows for `SFTTrainer`: the chosen replies, losses on them alone."""
        rows = []
        for pair in pairs:
            tree = self._tokeniser.tree(pair.messages, [pair.chosen])
            ids = [*tree.prompt, *tree.completions[0]]
            mask = [0] * len(tree.prompt) + [1] * len(tree.completions[0])
            rows.append({"input_ids": ids, "completion_mask": mask, "length": len(ids)})
        return rows

    def kto(self, pairs: Sequence[PreferencePair], *, batch_size: int) -> Rows:
        """Rows for `KTOTrainer`: each reply by itself; mismatched ones come from the neighbour within a batch."""
        rows: Rows = []
        for row in self.dpo(pairs):
            for name, label in (("chosen_ids", True), ("rejected_ids", False)):
                rows.append({"prompt_ids": row["prompt_ids"], "completion_ids": row[name], "label": label})
        for start in range(0, len(rows), batch_size):
            batch = rows[start : start + batch_size]
            for number, row in enumerate(batch):
                row["KL_completion_ids"] = batch[number - 1]["completion_ids"]
        return rows

    def legacy(self, pairs: Sequence[PreferencePair]) -> Rows:
        """Rows for TRL's older trainers, of CPO and ORPO: whole sequences, and labels behind the prompt."""
        rows = []
        for row in self.dpo(pairs):
            prompt = row["prompt_ids"]
            made = {"prompt_input_ids": prompt, "prompt_attention_mask": [1] * len(prompt)}
            for name in ("chosen", "rejected"):
                ids = prompt + row[f"{name}_ids"]
                made[f"{name}_input_ids"] = ids
                made[f"{name}_attention_mask"] = [1] * len(ids)
                made[f"{name}_labels"] = [-100] * len(prompt) + row[f"{name}_ids"]
            rows.append({**made, "prompt": "", "chosen": "", "rejected": ""})
        return rows

    def ppo(self, pairs: Sequence[PreferencePair]) -> Rows:
        """Rows for `PPOTrainer`: prompts."""
        return [{"input_ids": list(self._tokeniser.prompt(pair.messages))} for pair in pairs]
