"""Running an engine to its end, for tests about what happens on the way."""

from __future__ import annotations

from collections.abc import Iterator

from generation.engines.base import SampledText
from generation.engines.errors import ConversationsFailed, EngineError

Sampled = dict[int, list[SampledText]]


def drain(samples: Iterator[tuple[int, list[SampledText]]]) -> tuple[Sampled, dict[int, EngineError]]:
    """What was yielded, and the conversations that failed."""
    sampled: Sampled = {}
    try:
        for index, replies in samples:
            sampled[index] = replies
    except ConversationsFailed as failed:
        return sampled, failed.failures
    return sampled, {}
