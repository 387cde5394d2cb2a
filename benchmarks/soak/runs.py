"""Small runs of every algorithm, and what is compared of two of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from benchmarks.training.orders import Rows, write_order

WORDS: Final = ("bee", "cat", "dog", "elk", "fox", "gnu", "hen", "owl")
NUM_ROWS: Final = 64
SIZES: Final = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_layers": 2,
    "num_heads": 2,
    "context_tokens": 64,
}
COMMON: Final = {
    "batch_size": 8,
    "max_prompt_tokens": 40,
    "max_completion_tokens": 12,
    "checkpoint_every": 2,
    "eval_every": 4,
    "eval_examples": 8,
    "num_samples": 1,
    "num_epochs": 1_000_000,
}
PPO: Final = {"num_minibatches": 2, "num_ppo_epochs": 2, "kl_target": 3.0, "guards": "off", "max_kl": 1e9}
SPEEDS: Final = ("tokens_per_second", "prompts_per_second", "memory_mb")  # what differs between two equal runs
TIMED: Final = "seconds"  # of a checkpoint's state


def rows_for(algorithm: str) -> Rows:
    """Rows of data.parquet about eight animals, every fourth one held out."""
    made: Rows = []
    for number in range(NUM_ROWS):
        word, other = WORDS[number % 8], WORDS[(number + 3) % 8]
        row: dict[str, Any] = {
            "prompt": json.dumps([{"role": "user", "content": f"Say {word}, please, number {number}."}]),
            "split": "held_out" if number % 4 == 3 else "train",
        }
        if algorithm == "sft":
            row["completion"] = f"{word} and {other}"
        elif algorithm == "kto":
            row |= {"completion": word, "label": number % 3 != 0, "weight": 1.0, "group_id": str(number)}
        elif algorithm != "ppo":
            row |= {"chosen": f"{word} {word}", "rejected": other, "weight": 1.0, "group_id": str(number)}
        made.append(row)
    return made


def save_models(folder: Path) -> None:
    """A small policy and a reward model on it, with random weights: folder/policy, folder/reward."""
    from torch import nn

    from training.algorithms.config import FreshModelConfig
    from training.algorithms.models import fresh_language_model, reward_model_from, score_head
    from training.algorithms.tokenisation import train_tokenizer

    tokenizer = train_tokenizer([f"Say {word}, please, number 0123456789." for word in WORDS], vocab_size=320)
    policy = fresh_language_model(FreshModelConfig(**SIZES), tokenizer, seed=0)
    policy.network.save_pretrained(folder / "policy")
    tokenizer.save_pretrained(folder / "policy")
    reward = reward_model_from(str(folder / "policy"), pad_id=0)
    nn.init.normal_(score_head(reward.network).weight)
    reward.network.save_pretrained(folder / "reward")
    tokenizer.save_pretrained(folder / "reward")


def config_of(algorithm: str, *, num_steps: int) -> dict[str, Any]:
    """A configuration that checkpoints every other step."""
    return {
        **COMMON,
        "max_steps": num_steps,
        **(PPO if algorithm == "ppo" else {}),
        **({"fresh": SIZES} if algorithm == "sft" else {}),
    }


def make_run(directory: Path, algorithm: str, models: Path, *, num_steps: int) -> Path:
    """A run directory as the platform leaves it."""
    return write_order(
        directory,
        algorithm=algorithm,
        config=config_of(algorithm, num_steps=num_steps),
        rows=rows_for(algorithm),
        model=models / "policy",
        reward_model=models / "reward" if algorithm == "ppo" else None,
        threads=1,
    )


def events(directory: Path) -> list[dict[str, Any]]:
    """The events of a run; a torn last line is passed over."""
    path = directory / "events.jsonl"
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def final_files(directory: Path) -> dict[str, str]:
    """SHA-256 of every file of the final checkpoint; of its state, without the time that it took."""
    *_, final = (event for event in events(directory) if event["kind"] == "checkpoint" and event["is_final"])
    folder = directory / str(final["path"])
    sums = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    state = json.loads((folder / "trainer" / "state.json").read_text(encoding="utf-8"))
    state.pop(TIMED)
    whole = json.dumps(state, sort_keys=True).encode()
    return {**sums, "trainer/state.json": hashlib.sha256(whole).hexdigest()}


def curve(directory: Path) -> dict[int, dict[str, float]]:
    """The last numbers of every step, without speeds."""
    return {
        event["step"]: {name: value for name, value in event["values"].items() if name not in SPEEDS}
        for event in events(directory)
        if event["kind"] == "step"
    }
