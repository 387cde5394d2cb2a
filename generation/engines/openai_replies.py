"""What a chat completion says: replies with their ends, token counts and log-probabilities, checked field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from generation.engines.base import FinishReason, SampledText, SamplingParameters, TokenLogprob, storable
from generation.engines.errors import (
    ChoiceIgnored,
    MalformedReply,
    ParametersUnsupported,
    ReplyWithheld,
    RequestRejected,
    TooFewChoices,
)
from generation.engines.json_fields import EXCERPT_CHARACTERS, field, optional
from generation.engines.openai_protocol import CHOICE_FIELD, ChoiceDialect

_REVISION_CHARACTERS = 200
_MAX_COUNT = 2**31 - 1  # what the database takes
_IMPOSSIBLE = -9999.0  # what servers say for a probability of 0
_ROUNDING = 1e-3  # by which a log-probability may lie above 0


def parse_completion(
    body: object,
    *,
    num_choices: int,
    parameters: SamplingParameters,
    dialect: ChoiceDialect = ChoiceDialect.SCHEMA,
) -> list[SampledText]:
    """The replies by rising index, `num_choices` or fewer. Raises MalformedReply, TooFewChoices or what a reply is."""
    choices = field(body, "choices", list)
    if not choices:
        raise TooFewChoices(f"asked for {num_choices} choices, got none")
    ordered = sorted(choices, key=lambda choice: field(choice, "index", int))[:num_choices]
    texts = [_text(choice) for choice in ordered]
    usage = optional(body, "usage", dict) or {}
    counts = _token_counts(ordered, texts, _count(usage, "completion_tokens"))
    unwraps = bool(parameters.choices) and dialect is ChoiceDialect.SCHEMA
    return [
        SampledText(
            text=_chosen(text, parameters.choices, reason, unwraps=unwraps) if parameters.choices else storable(text),
            finish_reason=reason,
            num_prompt_tokens=_count(usage, "prompt_tokens"),
            num_tokens=count,
            logprobs=_logprobs(choice) if parameters.num_logprobs else (),
            follows_schema=_follows(parameters.json_schema, text, reason),
            model_revision=_revision(body),
        )
        for choice, text, count in zip(ordered, texts, counts, strict=True)
        for reason in (_finish_reason(choice),)
    ]


def _chosen(text: str, choices: Sequence[str], reason: FinishReason, *, unwraps: bool) -> str:
    """The one of `choices` that was said. A reply that was cut off goes out as far as it came."""
    said = text
    if unwraps:
        try:
            said = json.loads(text)[CHOICE_FIELD]
        except (ValueError, KeyError, TypeError):
            said = text.strip()  # not held to the schema, but perhaps the bare word
    if said not in choices and reason != "length":
        raise ChoiceIgnored(
            f"the reply {text[:EXCERPT_CHARACTERS]!r} is none of {', '.join(choices)}: the server does not hold the "
            "model to a list of choices; ask without, and read what it says"
        )
    return said if said in choices else storable(text)


def _follows(schema: Mapping[str, Any] | None, text: str, reason: FinishReason) -> bool | None:
    """Whether a whole reply is JSON with what the schema requires at the top: it shows which servers ignore schemas."""
    if schema is None or reason == "length":
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return False
    if schema.get("type") != "object":
        return True
    return isinstance(value, dict) and set(schema.get("required", ())) <= value.keys()


def _logprobs(choice: object) -> tuple[TokenLogprob, ...]:
    found = optional(choice, "logprobs", dict)
    if found is None:
        raise ParametersUnsupported("log-probabilities were asked for and did not come: the server does not give any")
    return tuple(
        TokenLogprob(
            token=storable(field(entry, "token", str)),
            logprob=_logprob(entry),
            top=_alternatives(optional(entry, "top_logprobs", list) or []),
        )
        for entry in optional(found, "content", list) or []
    )


def _alternatives(entries: Sequence[object]) -> dict[str, float]:
    """By token; of tokens that read alike (parts of one character) the likelier counts, impossible ones do not."""
    top: dict[str, float] = {}
    for entry in entries:
        token, logprob = storable(field(entry, "token", str)), _logprob(entry)
        if logprob > _IMPOSSIBLE:
            top[token] = max(logprob, top.get(token, logprob))
    return top


def _logprob(entry: object) -> float:
    value = entry.get("logprob") if isinstance(entry, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or isnan(value) or value > _ROUNDING:
        raise MalformedReply(f"logprob must be a number up to 0, got {str(value)[:EXCERPT_CHARACTERS]}")
    return min(0.0, max(_IMPOSSIBLE, float(value)))


def _revision(body: object) -> str:
    """The name that the server answers with, and the fingerprint of its build and settings where it has one."""
    said = (optional(body, "model", str), optional(body, "system_fingerprint", str))
    return " ".join(storable(word) for word in said if word)[:_REVISION_CHARACTERS]


def _text(choice: object) -> str:
    # Null is what servers send for a reply of which all was thinking: an empty text.
    return optional(field(choice, "message", dict), "content", str) or ""


def _finish_reason(choice: object) -> FinishReason:
    reason = field(choice, "finish_reason", str)
    if reason == "stop":
        return "stop"
    if reason == "length":
        return "length"
    if reason == "content_filter":
        raise ReplyWithheld("the server's content filter withheld a reply; change the prompt or use another server")
    raise RequestRejected(f"the server ended a reply for the reason {reason!r}, expected stop or length")


def _token_counts(choices: Sequence[object], texts: Sequence[str], total: int) -> list[int]:
    """Tokens of each choice: those that vLLM lists on demand, else the total shared out by length of text."""
    listed = [optional(choice, "token_ids", list) for choice in choices]
    if all(tokens is not None for tokens in listed):
        return [len(tokens or []) for tokens in listed]
    weights = [max(1, len(text)) for text in texts]
    ends = [round(total * sum(weights[: place + 1]) / sum(weights)) for place in range(len(weights))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _count(usage: object, name: str) -> int:
    count = int(optional(usage, name, int) or 0)
    if not 0 <= count <= _MAX_COUNT:
        raise MalformedReply(f"{name} must be a number of tokens, got {count}")
    return count
