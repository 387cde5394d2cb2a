"""The text of a reply, made readable: without reasoning blocks and hidden characters; the JSON in it; refusals.

Nothing here knows a protocol. Everything is linear in the text but for the search for JSON, which is capped.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

MAX_CHARACTERS = 100_000  # of a reply; verdicts stand at its end, so that the end is kept
_MAX_OPENINGS = 500  # braces at which JSON may begin that are tried

_TAGS = "think|thinking|thought|reasoning|reflection|scratchpad"
_BLOCK = re.compile(rf"<({_TAGS})>(?:(?!<\1>).)*?</\1>", re.DOTALL | re.IGNORECASE)
_CLOSING = re.compile(rf"</(?:{_TAGS})>", re.IGNORECASE)
_OPENING = re.compile(rf"<(?:{_TAGS})>", re.IGNORECASE)
_FINAL_CHANNEL = re.compile(r"<\|channel\|>\s*final\s*(?:<\|message\|>)?", re.IGNORECASE)
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e01ef]"
)
_REFUSAL = re.compile(
    r"\A[\W_]*(?:unfortunately[, ]+)?(?:"
    r"i(?:'m| am) (?:very |really |so )?(?:sorry|unable|not able|not comfortable|afraid)"
    r"|(?:i )?(?:apologi[sz]e|my apologies|sorry)\b"
    r"|i (?:can(?:no|')t|can not|could not|couldn't|won't|will not|must (?:respectfully )?decline|decline|refuse)\b"
    r"|as an? (?:ai|artificial|large language|language model)\b"
    r"|(?:this|the|your) (?:request|content|prompt|conversation) (?:violates|was flagged|goes against|is not permitted)"
    r")",
    re.IGNORECASE,
)


class TwoValues(ValueError):
    """An object gives one key twice with different values: nobody knows which is meant."""


@dataclass(frozen=True, kw_only=True)
class ReadableText:
    """What is left of a reply."""

    text: str
    is_thinking: bool = False  # a reasoning block was opened and never closed
    whole: dict[str, Any] | None = None  # all of the text is this JSON object
    objects: tuple[dict[str, Any], ...] = ()  # the JSON objects in the text, the whole one included
    around: str = field(default="")  # the text without them


def readable(raw: str) -> ReadableText:
    """The reply without reasoning and hidden characters, and the JSON objects in it. Raises TwoValues."""
    text = without_hidden(raw[-MAX_CHARACTERS:])
    text, is_thinking = _without_reasoning(text)
    text = text.strip()
    whole = _object_of(_unfenced(text))
    if whole is not None:
        return ReadableText(text=text, is_thinking=is_thinking, whole=whole, objects=(whole,))
    objects, around = _objects_in(text)
    return ReadableText(text=text, is_thinking=is_thinking, objects=tuple(objects), around=around)


def without_hidden(text: str) -> str:
    """The text without control characters but tab and newline, invisible characters and lone surrogates."""
    return _HIDDEN.sub("", text.replace("\r\n", "\n"))


def is_refusal(text: str) -> bool:
    """Whether a text begins as refusals do."""
    return bool(_REFUSAL.match(text.replace("’", "'")[:300]))


def member(values: dict[str, Any], *names: str) -> Any:
    """The first of these keys in an object, whatever their case; None if there is none."""
    lowered = {str(key).strip().lower(): value for key, value in values.items()}
    return next((lowered[name] for name in names if name in lowered), None)


def _without_reasoning(text: str) -> tuple[str, bool]:
    if final := list(_FINAL_CHANNEL.finditer(text)):
        text = text[final[-1].end() :]
    text = _BLOCK.sub("", text)
    if closings := list(_CLOSING.finditer(text)):  # the opening one was in the prompt, or blocks were nested
        text = text[closings[-1].end() :]
    opening = _OPENING.search(text)
    return (text[: opening.start()], True) if opening else (text, False)


def _unfenced(text: str) -> str:
    """What stands in a code block, if the text is one."""
    if not (text.startswith("```") and text.endswith("```") and "\n" in text):
        return text
    return text[text.index("\n") : -3]


def _object_of(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except TwoValues:
        raise
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _objects_in(text: str) -> tuple[list[dict[str, Any]], str]:
    """The JSON objects that stand in a text, and the text without them."""
    decoder = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)
    found, around, place = [], "", 0
    for _ in range(_MAX_OPENINGS):
        start = text.find("{", place)
        if start < 0:
            break
        around += text[place:start]
        try:
            value, place = decoder.raw_decode(text, start)
            found.append(value)
        except TwoValues:
            raise
        except (ValueError, RecursionError):
            around, place = around + "{", start + 1
    return found, around + text[place:]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values and values[key] != value:
            raise TwoValues(f"{key!r} is given twice: {values[key]!r} and {value!r}")
        values[key] = value
    return values


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
