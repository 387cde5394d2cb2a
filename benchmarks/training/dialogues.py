"""What is trained on: real dialogues and rankings from a folder, or made-up ones of like length; models and tokenizers.

The folder has `hh_rlhf/test.jsonl.gz` (Anthropic's hh-rlhf) and `oasst_en_100/en_100_tree.jsonl` (Open-Assistant).
"""

from __future__ import annotations

import gzip
import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation.pair_lines import PreferencePair, parse_pairs

HH_FILE, OASST_FILE = "hh_rlhf/test.jsonl.gz", "oasst_en_100/en_100_tree.jsonl"
MIN_K, MAX_K = 4, 9


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """A prompt and its replies, best first."""

    messages: list[dict[str, str]]
    replies: list[str]


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Everything that the measures draw from, in an order that the seed decides."""

    pairs: list[PreferencePair]
    rankings: list[Ranking]

    def spoken(self) -> Iterator[str]:
        """Every text, to train a tokenizer on."""
        for pair in self.pairs:
            yield from (message["content"] for message in pair.messages)
            yield from (pair.chosen, pair.rejected)
        for ranking in self.rankings:
            yield from (message["content"] for message in ranking.messages)
            yield from ranking.replies


def read_texts(folder: Path, *, seed: int = 0) -> Texts:
    """The real data. Raises `FileNotFoundError` that names the file."""
    with gzip.open(folder / HH_FILE, "rt", encoding="utf-8") as lines:
        pairs, _ = parse_pairs(lines)
    with (folder / OASST_FILE).open(encoding="utf-8") as lines:
        rankings = [ranking for line in lines for ranking in rankings_of(json.loads(line)["prompt"], [])]
    random.Random(seed).shuffle(pairs)
    random.Random(seed).shuffle(rankings)
    return Texts(pairs=pairs, rankings=rankings)


def rankings_of(message: dict[str, Any], before: list[dict[str, str]]) -> Iterator[Ranking]:
    """The ranked replies of a prompter's message and of everything below it; ties and single replies are none."""
    role = {"prompter": "user", "assistant": "assistant"}[message["role"]]
    messages = [*before, {"role": role, "content": message["text"]}]
    ranked = [reply for reply in message["replies"] if reply.get("rank") is not None]
    if role == "user" and MIN_K <= len(ranked) <= MAX_K:
        ordered = sorted(ranked, key=lambda reply: reply["rank"])
        yield Ranking(messages=messages, replies=[reply["text"] for reply in ordered])
    for reply in message["replies"]:
        yield from rankings_of(reply, messages)


def make_texts(*, num_pairs: int, num_rankings: int, seed: int = 0) -> Texts:
    """Made-up dialogues with lengths like hh-rlhf's: prompts of 430 characters on average, completions of 167 and 210,
    all with a long tail; words drawn by Zipf's law."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnoprstuvw", k=rng.randint(2, 9))) for _ in range(5_000)]
    weights = [1 / (rank + 2) for rank in range(len(words))]

    def text(mean: float, spread: float = 0.9) -> str:
        num_characters = mean * math.exp(rng.gauss(0, spread) - spread**2 / 2)
        return " ".join(rng.choices(words, weights, k=max(1, round(num_characters / 6.5))))

    def ask() -> list[dict[str, str]]:
        return [{"role": "user", "content": text(430)}]

    pairs = [PreferencePair(messages=ask(), chosen=text(167), rejected=text(210)) for _ in range(num_pairs)]
    rankings = [
        Ranking(messages=ask(), replies=[text(600, 0.6) for _ in range(rng.randint(MIN_K, MAX_K))])
        for _ in range(num_rankings)
    ]
    return Texts(pairs=pairs, rankings=rankings)


@dataclass(frozen=True, kw_only=True)
class ModelSize:
    """A Llama's measures."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int


SIZES = {
    "5m": ModelSize(vocab_size=8_192, hidden_size=256, intermediate_size=704, num_layers=4, num_heads=4),
    "40m": ModelSize(vocab_size=16_384, hidden_size=512, intermediate_size=1_376, num_layers=10, num_heads=8),
}


def build_model(folder: Path, size: ModelSize, texts: Texts, *, context_tokens: int) -> dict[str, Any]:
    """A Llama with random weights, its head tied, and a byte-level BPE of the texts; what it is, in numbers."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from training.algorithms.tokenisation import train_tokenizer

    tokenizer = train_tokenizer(texts.spoken(), vocab_size=size.vocab_size)
    torch.manual_seed(0)
    network = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=size.vocab_size,
            hidden_size=size.hidden_size,
            intermediate_size=size.intermediate_size,
            num_hidden_layers=size.num_layers,
            num_attention_heads=size.num_heads,
            num_key_value_heads=size.num_heads,
            max_position_embeddings=context_tokens,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return {"parameters": network.num_parameters(), "vocabulary": len(tokenizer)}
