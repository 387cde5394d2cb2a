"""The OpenAI protocol without a network: requests as JSON, listings as values, refusals as named errors."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from generation.engines.base import (
    Conversation,
    SamplingParameters,
    storable,
)
from generation.engines.errors import (
    AccessDenied,
    ContextOverflow,
    EndpointOverloaded,
    EndpointUnreachable,
    EngineError,
    MalformedReply,
    MissingChatTemplate,
    ModelNotServed,
    RequestRejected,
)
from generation.engines.json_fields import EXCERPT_CHARACTERS, field, optional
from generation.engines.model_folder import CHAT_TEMPLATE_FIX

CHOICE_FIELD = "choice"
_OVERFLOW_PHRASES = ("context_length_exceeded", "maximum context length", "context length", "max_model_len")
_FIRST_STRUCTURED_OUTPUTS = (0, 11)  # of vLLM; before, the field was called guided_choice


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """One entry of /v1/models."""

    id: str  # the name to ask for
    root: str | None  # the path or hub id behind it, where the server tells
    max_context: int | None  # tokens of prompt and reply together, where the server tells
    parent: str | None = None  # the model that a LoRA adapter belongs to


class ChoiceDialect(Enum):
    """How a server is asked for a reply that is one of several texts."""

    STRUCTURED = "structured_outputs"  # vLLM from 0.11 on
    GUIDED = "guided_choice"  # vLLM before
    SCHEMA = "response_format"  # everybody else: a JSON object with one field, which is taken out again


def api_root(base_url: str) -> str:
    """The address that `/models` and `/chat/completions` are appended to: `/v1` is added to a bare host."""
    trimmed = base_url.rstrip("/")
    _, _, rest = trimmed.partition("://")
    return trimmed if "/" in rest else f"{trimmed}/v1"


def chat_request(
    model: str,
    conversation: Conversation,
    *,
    num_choices: int,
    parameters: SamplingParameters,
    dialect: ChoiceDialect = ChoiceDialect.SCHEMA,
) -> dict[str, Any]:
    """The JSON body of a chat completion. `dialect` says how to ask for one of `parameters.choices`."""
    body: dict[str, Any] = {
        "model": parameters.adapter or model,  # servers list an adapter as a model
        "messages": [{key: _sendable(value) for key, value in message.items()} for message in conversation],
        "n": num_choices,
        "seed": parameters.seed,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "max_tokens": parameters.max_new_tokens,
    }
    if parameters.stop:
        body["stop"] = list(parameters.stop)
    if parameters.num_logprobs:
        body |= {"logprobs": True, "top_logprobs": parameters.num_logprobs}
    return {**body, **_structure(parameters, dialect)}


def _sendable(text: str) -> str:
    """Storable, and without U+FFFD at its end: vLLM takes that for half a character and begins the reply with it."""
    return storable(text).rstrip("\ufffd")


def _structure(parameters: SamplingParameters, dialect: ChoiceDialect) -> dict[str, Any]:
    choices = list(parameters.choices)
    if choices and dialect is ChoiceDialect.STRUCTURED:
        return {"structured_outputs": {"choice": choices}}
    if choices and dialect is ChoiceDialect.GUIDED:
        return {"guided_choice": choices}
    schema = _choice_schema(choices) if choices else parameters.json_schema
    if schema is None:
        return {}
    named = {"name": "reply", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _choice_schema(choices: Sequence[str]) -> dict[str, Any]:
    """An object, because OpenAI takes no other schema at the top."""
    properties = {CHOICE_FIELD: {"type": "string", "enum": list(choices)}}
    return {"type": "object", "properties": properties, "required": [CHOICE_FIELD], "additionalProperties": False}


def request_seed(seed: int, conversation: Conversation) -> int:
    """31 bits that depend on the seed and the conversation, and on nothing else."""
    key = json.dumps([seed, [dict(message) for message in conversation], 0], sort_keys=True)
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") >> 1


def choice_dialect(version: tuple[int, ...] | None) -> ChoiceDialect:
    """How to ask a server with this version of vLLM, or another server, for one of several texts."""
    if version is None:
        return ChoiceDialect.SCHEMA
    return ChoiceDialect.STRUCTURED if version >= _FIRST_STRUCTURED_OUTPUTS else ChoiceDialect.GUIDED


def parse_version(body: object) -> tuple[int, ...]:
    """The numbers of {"version": "0.32.0.dev1"}: (0, 32, 0). Raises MalformedReply."""
    numbers = re.match(r"\d+(?:\.\d+)*", field(body, "version", str))
    if numbers is None:
        raise MalformedReply(f"a version must start with a number, got {body}"[:EXCERPT_CHARACTERS])
    return tuple(int(number) for number in numbers[0].split("."))


def parse_models(body: object) -> list[ServedModel]:
    """Raises MalformedReply."""
    entries = field(body, "data", list)
    return [
        ServedModel(
            id=field(entry, "id", str),
            root=optional(entry, "root", str),
            max_context=optional(entry, "max_model_len", int),
            parent=optional(entry, "parent", str),
        )
        for entry in entries
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
    lowered = text.lower()
    if status == 400 and "must provide a chat template" in lowered:
        return MissingChatTemplate(f"{said}; {CHAT_TEMPLATE_FIX}")
    if status in (400, 413, 422) and any(phrase in lowered for phrase in _OVERFLOW_PHRASES):
        return ContextOverflow(f"{said}; shorten the prompt or lower max_new_tokens")
    return RequestRejected(said)


def _reason(text: str) -> str:
    """The server's own message, cut to what fits a log line."""
    try:
        body = json.loads(text)
    except ValueError:
        return text[:EXCERPT_CHARACTERS] or "nothing"
    if isinstance(body, Mapping):
        error = body.get("error", body)
        message = error.get("message") or error.get("detail") if isinstance(error, Mapping) else error
        return str(message or body)[:EXCERPT_CHARACTERS]
    return str(body)[:EXCERPT_CHARACTERS]
