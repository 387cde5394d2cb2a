"""Rows of `data.parquet` as examples, checked: every error names its row."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from training.algorithms.chat import Conversation
from training.algorithms.failures import TrainingFailure

Example = TypeVar("Example")
SPLITS = ("train", "held_out")


class DataError(TrainingFailure):
    """The data cannot be trained on."""

    def __init__(self, error: str) -> None:
        super().__init__("data_error", error)


class Split(NamedTuple, Generic[Example]):
    """Examples to train on and examples that are only evaluated."""

    train: list[Example]
    held_out: list[Example]


@dataclass(frozen=True, kw_only=True)
class Demonstration:
    """A prompt and the reply to learn."""

    prompt: Conversation
    completion: str


@dataclass(frozen=True, kw_only=True)
class PreferencePair:
    """A prompt, the better and the worse reply, and how much the judgment weighs."""

    prompt: Conversation
    chosen: str
    rejected: str
    weight: float


def read_demonstrations(path: Path) -> Split[Demonstration]:
    """Rows prompt, completion, split. Raises `DataError`."""
    return read_split(path, parse_demonstration, columns=("prompt", "completion", "split"))


def read_pairs(path: Path) -> Split[PreferencePair]:
    """Rows prompt, chosen, rejected, weight, split. Raises `DataError`."""
    return read_split(path, parse_pair, columns=("prompt", "chosen", "rejected", "weight", "split"))


def read_prompts(path: Path) -> Split[Conversation]:
    """Rows prompt, split. Raises `DataError`."""
    return read_split(path, lambda row: parse_prompt(row["prompt"]), columns=("prompt", "split"))


def read_split(path: Path, parse: Callable[[Mapping[str, Any]], Example], *, columns: Sequence[str]) -> Split[Example]:
    """Parse every row into its split; there must be something to train on."""
    split: Split[Example] = Split([], [])
    for number, row in enumerate(read_rows(path, columns), start=1):
        try:
            if row["split"] not in SPLITS:
                raise DataError(f"split must be train or held_out, got {row['split']!r}.")
            (split.train if row["split"] == "train" else split.held_out).append(parse(row))
        except DataError as error:
            raise DataError(f"{path.name}, row {number}: {error}") from error
    if not split.train:
        raise DataError(f"{path.name} has no row whose split is train.")
    return split


def read_rows(path: Path, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The named columns of a Parquet file, a dictionary a row."""
    try:
        table = pq.read_table(path, columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} cannot be read as Parquet: {error}") from error
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise DataError(f"{path.name} lacks the column(s) {', '.join(missing)}.")
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def parse_demonstration(row: Mapping[str, Any]) -> Demonstration:
    """A demonstration with text in it."""
    return Demonstration(prompt=parse_prompt(row["prompt"]), completion=parse_text(row, "completion"))


def parse_pair(row: Mapping[str, Any]) -> PreferencePair:
    """A pair of different replies; the rejected one may be silence."""
    chosen = parse_text(row, "chosen")
    rejected, weight = row["rejected"], row["weight"]
    if not isinstance(rejected, str):
        raise DataError(f"rejected must be a text, got {rejected!r}.")
    if chosen == rejected:
        raise DataError("chosen and rejected are the same text.")
    if not isinstance(weight, float | int) or not math.isfinite(weight) or weight < 0:
        raise DataError(f"weight must be a number that is not negative, got {weight!r}.")
    return PreferencePair(prompt=parse_prompt(row["prompt"]), chosen=chosen, rejected=rejected, weight=float(weight))


def parse_text(row: Mapping[str, Any], column: str) -> str:
    """A text that is not blank."""
    text = row[column]
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{column} must be a text that is not blank, got {text!r}.")
    return text


def parse_prompt(text: Any) -> Conversation:
    """A JSON list of {role, content} messages whose last turn is the user's."""
    try:
        messages = json.loads(text)
    except (TypeError, ValueError) as error:
        raise DataError(f"prompt is not JSON: {error}") from error
    if not isinstance(messages, list) or not all(is_message(message) for message in messages):
        raise DataError("prompt must be a list of messages with the texts role and content.")
    if not messages or messages[-1]["role"] != "user":
        raise DataError("the last turn of prompt must be the user's.")
    return messages


def is_message(message: Any) -> bool:
    """Whether this is {role: text, content: text}."""
    return isinstance(message, dict) and all(isinstance(message.get(key), str) for key in ("role", "content"))
