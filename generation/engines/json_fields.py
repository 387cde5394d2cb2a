"""Taking a foreign JSON value apart: every field is checked, and what is wrong with it is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generation.engines.errors import MalformedReply

EXCERPT_CHARACTERS = 300


def field(value: object, name: str, kind: type[Any]) -> Any:
    if not isinstance(value, Mapping):
        raise MalformedReply(f"expected a JSON object with {name}, got {type(value).__name__}")
    found = value.get(name)
    if not isinstance(found, kind):
        raise MalformedReply(f"{name} must be {kind.__name__}, got {str(found)[:EXCERPT_CHARACTERS]}")
    return found


def optional(value: object, name: str, kind: type[Any]) -> Any:
    if isinstance(value, Mapping) and value.get(name) is None:
        return None
    return field(value, name, kind)
