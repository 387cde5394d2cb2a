"""Rows of any training data as one shape: a prompt, its completions, and which of them are the better ones.

No torch, no tokenizer: what is looked at before a run, by people and by the report on its data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from training.algorithms.chat import Conversation


@dataclass(frozen=True, kw_only=True)
class DataRow:
    """One example."""

    number: int  # from 1, as errors of the trainer count them
    split: str  # "train" or "held_out"
    prompt: str  # JSON of the messages
    completions: tuple[str, ...]
    tiers: tuple[int, ...] = ()  # of each completion, 0 is the best; empty where nothing is compared
    is_ranking: bool = False
    label: bool | None = None  # whether the one completion is wanted

    @property
    def conversation(self) -> Conversation:
        """The prompt's messages; [] if they cannot be read."""
        try:
            messages = json.loads(self.prompt)
        except ValueError:
            return []
        return messages if isinstance(messages, list) else []

    @property
    def prompt_text(self) -> str:
        """What the prompt's messages say, one behind another."""
        said = [str(message.get("content", "")) for message in self.conversation if isinstance(message, dict)]
        return "\n".join(said)

    def comparisons(self) -> Iterator[tuple[str, str]]:
        """(better, worse) of every two completions in different tiers."""
        for (one, text), (other, other_text) in combinations(zip(self.tiers, self.completions, strict=False), 2):
            if one != other:
                yield (text, other_text) if one < other else (other_text, text)


def data_rows(rows: Iterable[Mapping[str, Any]]) -> Iterator[DataRow]:
    """Rows of `data.parquet` of any algorithm."""
    for number, row in enumerate(rows, start=1):
        completions, tiers = _completions(row)
        label = row.get("label")
        yield DataRow(
            number=number,
            split=str(row.get("split")),
            prompt=str(row.get("prompt")),
            completions=tuple("" if text is None else str(text) for text in completions),
            tiers=tiers,
            is_ranking="tiers" in row,
            label=label if isinstance(label, bool) else None,
        )


def _completions(row: Mapping[str, Any]) -> tuple[Sequence[Any], tuple[int, ...]]:
    if "chosen" in row:
        return [row["chosen"], row["rejected"]], (0, 1)
    if "tiers" in row:
        place = {index: tier for tier, indexes in enumerate(row["tiers"] or []) for index in indexes}
        texts = row["completions"] or []
        return texts, tuple(place.get(index, len(place)) for index in range(len(texts)))
    return ([row["completion"]] if "completion" in row else []), ()
