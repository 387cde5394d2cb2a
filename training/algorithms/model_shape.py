"""How large a model is, read from its folder without loading it: config.json and the headers of its weights."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.algorithms.config import FreshModelConfig


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """What memory and time depend on."""

    num_parameters: int
    hidden_size: int  # channels
    intermediate_size: int  # channels of the feed-forward layer
    num_layers: int
    vocab_size: int
    is_tied: bool = False  # whether the head is the embedding
    context_tokens: int | None = None  # positions that it has; None: not said

    @property
    def head_parameters(self) -> int:
        """Weights of the head over the vocabulary."""
        return self.vocab_size * self.hidden_size

    @property
    def backbone_parameters(self) -> int:
        """Weights that every token is multiplied with: all but the head and the embedding, which is looked up."""
        return max(0, self.num_parameters - (1 if self.is_tied else 2) * self.head_parameters)


def shape_of(model: str) -> ModelShape | None:
    """The shape of a folder, or of a hub id that has been downloaded; None where it cannot be read."""
    folder = folder_of(model)
    if folder is None:
        return None
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        num_parameters = sum(_sizes(folder))
    except (OSError, ValueError):
        return None
    return _shape(config, num_parameters) if isinstance(config, dict) else None


def folder_of(model: str) -> Path | None:
    """Where a model's files lie: the folder itself, or what has been downloaded of a hub id."""
    return Path(model) if os.path.isabs(model) else _cached(model)


def fresh_shape(fresh: FreshModelConfig) -> ModelShape:
    """The Llama that a run without an initial model makes; its tokenizer may need fewer tokens."""
    wide, deep = fresh.hidden_size, fresh.num_layers
    layer = 4 * wide * wide + 3 * wide * fresh.intermediate_size + 2 * wide
    return ModelShape(
        num_parameters=2 * fresh.vocab_size * wide + deep * layer + wide,
        hidden_size=wide,
        intermediate_size=fresh.intermediate_size,
        num_layers=deep,
        vocab_size=fresh.vocab_size,
        context_tokens=fresh.context_tokens,
    )


def _shape(config: Mapping[str, Any], num_parameters: int) -> ModelShape | None:
    text = config.get("text_config", config)  # of models that see as well
    hidden = _first(text, "hidden_size", "n_embd", "d_model")
    layers = _first(text, "num_hidden_layers", "n_layer", "num_layers")
    if not (num_parameters and hidden and layers):
        return None
    return ModelShape(
        num_parameters=num_parameters,
        hidden_size=hidden,
        intermediate_size=_first(text, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden,
        num_layers=layers,
        vocab_size=_first(text, "vocab_size") or 0,
        is_tied=bool(text.get("tie_word_embeddings", False)),
        context_tokens=_first(text, "max_position_embeddings", "n_positions"),
    )


def _first(config: Mapping[str, Any], *names: str) -> int | None:
    values = (config.get(name) for name in names)
    return next((value for value in values if isinstance(value, int) and value > 0), None)


def _sizes(folder: Path) -> Iterator[int]:
    """The number of weights in each file of the folder, from the header that every safetensors file begins with."""
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        yield sum(math.prod(entry["shape"]) for name, entry in header.items() if name != "__metadata__")


def _cached(model: str) -> Path | None:
    """The newest downloaded snapshot of a hub id."""
    home = os.environ.get("HF_HOME") or os.path.join(os.path.expanduser("~"), ".cache", "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub"))
    if ".." in model:
        return None
    snapshots = (hub / f"models--{model.replace('/', '--')}" / "snapshots").glob("*")
    return max(snapshots, key=lambda path: path.stat().st_mtime, default=None)
