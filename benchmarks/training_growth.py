"""How the cost of a training step grows with the prompt's share, with K, with length and with the model's size.

    python -m benchmarks.training_growth [--quick] [--rounds 3] [--threads N]

One forward and backward pass over the log-probabilities of K completions a prompt, on Llamas with random weights and
trees of random tokens: once as rows of trees, once as the padded layout (a row a completion, each with its prompt),
in turns. Each figure is a median over rounds, in milliseconds a prompt; a ratio is one round's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.training.dialogues import SIZES
from training.algorithms.batches import collate, completion_logps, groups
from training.algorithms.models import LanguageModel
from training.algorithms.run import keep_memory
from training.algorithms.tokenisation import TokenTree
from training.algorithms.tree_support import let_read_trees

MAX_TOKENS = 16_384  # of one forward pass


@dataclass(frozen=True, kw_only=True)
class Case:
    """Prompts with K completions each, all lengths in tokens; lengths vary by a factor of two around these."""

    size: str = "5m"
    prompt_length: int = 256
    completion_length: int = 64
    num_completions: int = 2
    num_prompts: int = 8


USUAL = Case()
GROWTH: dict[str, list[Case]] = {
    "share of the prompt": [
        replace(USUAL, prompt_length=prompt, completion_length=320 - prompt) for prompt in (32, 128, 256, 304)
    ],
    "completions": [replace(USUAL, num_completions=number) for number in (2, 4, 8)],
    "length": [
        replace(USUAL, prompt_length=4 * unit, completion_length=unit, num_prompts=4) for unit in (32, 64, 128, 256)
    ],
    "size": [replace(USUAL, size=size, num_prompts=4) for size in ("5m", "40m")],
}


def main() -> None:
    """Measure and print one JSON line."""
    chosen = arguments()
    keep_memory()
    torch.set_num_threads(chosen.threads)
    metrics = {
        axis: [measure(case, rounds=chosen.rounds) for case in cases[: 2 if chosen.quick else None]]
        for axis, cases in GROWTH.items()
    }
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    settings = {"rounds": chosen.rounds, "threads": chosen.threads, "dtype": "float32", "quick": chosen.quick}
    print(json.dumps({"name": "training_growth", "metrics": metrics, "settings": settings, "machine": machine}))


def measure(case: Case, *, rounds: int) -> dict[str, Any]:
    """Milliseconds a prompt of both layouts, their ratio, and how many tokens each computes."""
    model = build(case.size)
    trees = make_trees(case, vocabulary=SIZES[case.size].vocab_size)
    layouts = {"trees": model.network.config._attn_implementation, "padded": "sdpa"}
    found: dict[str, list[float]] = {name: [] for name in layouts}
    for number in range(rounds + 1):
        for name, attention in layouts.items():
            model.network.set_attn_implementation(attention)
            found[name].append(milliseconds_of_step(model, trees) / len(trees))
        if number == 0:  # the first round warms the allocator
            found = {name: [] for name in layouts}
    ratios = [padded / tree for tree, padded in zip(found["trees"], found["padded"], strict=True)]
    result = {
        "case": vars(case),
        "tokens_a_prompt": sum(tree.num_tokens for tree in trees) / len(trees),
        "padded_tokens_a_prompt": sum(tree.num_padded_tokens for tree in trees) / len(trees),
        "milliseconds_a_prompt": round(statistics.median(found["trees"]), 2),
        "milliseconds_a_prompt_padded": round(statistics.median(found["padded"]), 2),
        "ratio": round(statistics.median(ratios), 3),
    }
    print(result, flush=True)
    return result


def milliseconds_of_step(model: LanguageModel, trees: Sequence[TokenTree]) -> float:
    """Forward and backward over all trees, in micro-batches of like length."""
    started = time.perf_counter()
    for micro in groups(model, trees, max_tokens=MAX_TOKENS):
        batch = collate([trees[index] for index in micro], pad_id=0)
        completion_logps(model, batch).logps_N.sum().backward()
    model.network.zero_grad(set_to_none=True)
    return 1e3 * (time.perf_counter() - started)


def build(size: str) -> LanguageModel:
    """A Llama with random weights that reads rows of trees."""
    shape = SIZES[size]
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_heads,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
    )
    network = LlamaForCausalLM(config).eval()
    let_read_trees(network)
    return LanguageModel(network)


def make_trees(case: Case, *, vocabulary: int) -> list[TokenTree]:
    """Trees of random tokens; the same for the same case."""
    rng = random.Random(0)

    def tokens(length: int) -> tuple[int, ...]:
        return tuple(rng.choices(range(3, vocabulary), k=max(1, round(length * rng.uniform(2 / 3, 4 / 3)))))

    return [
        TokenTree(
            prompt=tokens(case.prompt_length),
            completions=tuple(tokens(case.completion_length) for _ in range(case.num_completions)),
        )
        for _ in range(case.num_prompts)
    ]


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the first two cases of each kind, one round")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    chosen.rounds = chosen.rounds or (1 if chosen.quick else 5)
    return chosen


if __name__ == "__main__":
    main()
