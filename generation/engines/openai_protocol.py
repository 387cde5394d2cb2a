"""The OpenAI chat protocol without a network: requests as JSON, replies and refusals as values and named errors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from generation.engines.base import Conversation, FinishReason, SampledText, SamplingParameters, storable
from generation.engines.errors import (
    AccessDenied,
    ContextOverflow,
    EndpointOverloaded,
    EndpointUnreachable,
    EngineError,
    MalformedReply,
    ModelNotServed,
    RequestRejected,
    TooFewChoices,
)

_EXCERPT_CHARACTERS = 300
_OVERFLOW_PHRASES = ("context_length_exceeded", "maximum context length", "context length", "max_model_len")


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """One entry of /v1/models."""

    id: str  # the name to ask for
    root: str | None  # the path or hub id behind it, where the server tells
    max_context: int | None  # tokens of prompt and reply together, where the server tells


def api_root(base_url: str) -> str:
    """The address that `/models` and `/chat/completions` are appended to: `/v1` is added to a bare host."""
    trimmed = base_url.rstrip("/")
    _, _, rest = trimmed.partition("://")
    return trimmed if "/" in rest else f"{trimmed}/v1"


def chat_request(
    model: str, conversation: Conversation, *, num_choices: int, seed: int, parameters: SamplingParameters
) -> dict[str, Any]:
    """The JSON body of a chat completion."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{key: storable(value) for key, value in message.items()} for message in conversation],
        "n": num_choices,
        "seed": seed,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "max_tokens": parameters.max_new_tokens,
    }
    return {**body, "stop": list(parameters.stop)} if parameters.stop else body


def request_seed(seed: int, conversation: Conversation, first_reply: int) -> int:
    """31 bits that depend on the seed, the conversation and the first reply asked for, and on nothing else."""
    key = json.dumps([seed, [dict(message) for message in conversation], first_reply], sort_keys=True)
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") >> 1


def parse_models(body: object) -> list[ServedModel]:
    """Raises MalformedReply."""
    entries = _field(body, "data", list)
    return [
        ServedModel(
            id=_field(entry, "id", str),
            root=_optional(entry, "root", str),
            max_context=_optional(entry, "max_model_len", int),
        )
        for entry in entries
    ]


def parse_completion(body: object, *, num_choices: int) -> list[SampledText]:
    """The replies by rising index. Raises MalformedReply, TooFewChoices or RequestRejected."""
    choices = _field(body, "choices", list)
    if len(choices) < num_choices:
        raise TooFewChoices(
            f"asked for {num_choices} choices, got {len(choices)}: the server may not support n; "
            "ask for one choice a request instead"
        )
    ordered = sorted(choices, key=lambda choice: _field(choice, "index", int))[:num_choices]
    texts = [_text(choice) for choice in ordered]
    usage = _optional(body, "usage", dict) or {}
    counts = _token_counts(ordered, texts, _optional(usage, "completion_tokens", int) or 0)
    return [
        SampledText(
            text=storable(text),
            finish_reason=_finish_reason(choice),
            num_prompt_tokens=_optional(usage, "prompt_tokens", int) or 0,
            num_tokens=count,
        )
        for choice, text, count in zip(ordered, texts, counts, strict=True)
    ]


def refusal(status: int, text: str, *, model: str, url: str) -> EngineError:
    """The named error behind a status other than 200."""
    said = f"{url} answered {status}: {_reason(text)}"
    if status in (401, 403):
        return AccessDenied(f"{said}; check the API key of this endpoint")
    if status == 404 and model and model in text:
        return ModelNotServed(f"{said}; the model {model!r} is not served there")
    if 300 <= status < 400:
        return EndpointUnreachable(f"{said}; redirects are not followed: give the final address")
    if status == 404:
        return EndpointUnreachable(f"{said}; is this the address of an OpenAI-compatible server?")
    if status in (429, 502, 503, 504):
        return EndpointOverloaded(f"{said}; lower the concurrency or try later")
    if status in (400, 413, 422) and any(phrase in text.lower() for phrase in _OVERFLOW_PHRASES):
        return ContextOverflow(f"{said}; shorten the prompt or lower max_new_tokens")
    return RequestRejected(said)


def _text(choice: object) -> str:
    # Null is what servers send for a reply of which all was thinking: an empty text.
    return _optional(_field(choice, "message", dict), "content", str) or ""


def _finish_reason(choice: object) -> FinishReason:
    reason = _field(choice, "finish_reason", str)
    if reason == "stop":
        return "stop"
    if reason == "length":
        return "length"
    raise RequestRejected(f"the server ended a reply for the reason {reason!r}, expected stop or length")


def _token_counts(choices: Sequence[object], texts: Sequence[str], total: int) -> list[int]:
    """Tokens of each choice: those that vLLM lists on demand, else the total shared out by length of text."""
    listed = [_optional(choice, "token_ids", list) for choice in choices]
    if all(tokens is not None for tokens in listed):
        return [len(tokens or []) for tokens in listed]
    weights = [max(1, len(text)) for text in texts]
    ends = [round(total * sum(weights[: place + 1]) / sum(weights)) for place in range(len(weights))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _reason(text: str) -> str:
    """The server's own message, cut to what fits a log line."""
    try:
        body = json.loads(text)
    except ValueError:
        return text[:_EXCERPT_CHARACTERS] or "nothing"
    if isinstance(body, Mapping):
        error = body.get("error", body)
        message = error.get("message") or error.get("detail") if isinstance(error, Mapping) else error
        return str(message or body)[:_EXCERPT_CHARACTERS]
    return str(body)[:_EXCERPT_CHARACTERS]


def _field(value: object, name: str, kind: type[Any]) -> Any:
    if not isinstance(value, Mapping):
        raise MalformedReply(f"expected a JSON object with {name}, got {type(value).__name__}")
    found = value.get(name)
    if not isinstance(found, kind):
        raise MalformedReply(f"{name} must be {kind.__name__}, got {str(found)[:_EXCERPT_CHARACTERS]}")
    return found


def _optional(value: object, name: str, kind: type[Any]) -> Any:
    if isinstance(value, Mapping) and value.get(name) is None:
        return None
    return _field(value, name, kind)
