"""Tables of prompts: which column is the prompt, and which says something about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.errors import ConcordError
from core.source_rows import LineMalformed, Row
from generation.prompt_lines import NewPrompt, check_conversation, clean_text

# Names by which columns are recognised, whatever their case, best first.
PROMPT_NAMES = (
    "prompt", "messages", "instruction", "question", "query", "user_input", "user", "goal", "behavior", "behaviour",
    "problem", "text", "input", "content",
)  # fmt: skip
SYSTEM_NAMES = ("system", "system_prompt", "system_message")
REFERENCE_NAMES = ("reference", "reference_answer", "answer", "target", "solution", "output", "response", "completion")
TAG_NAMES = ("tags", "tag", "category", "categories", "topic", "subject", "lang", "language")
SENSITIVE_NAMES = ("is_sensitive", "sensitive")
YES = {"true", "t", "yes", "y", "1", "sensitive", "unsafe"}
NO = {"false", "f", "no", "n", "0", "safe", ""}
MAX_TAG_CHARACTERS = 120


class ColumnsUnknown(ConcordError):
    """A column is named that the file does not have, or no column looks like the prompt."""

    status = 422
    title = "The columns of this file do not fit"


@dataclass(frozen=True, kw_only=True)
class ColumnMapping:
    """Names of columns; "" is none. A mapping in which nothing is named is to be recognised."""

    prompt: str = ""  # a text, or a list of {role, content}
    system: str = ""  # becomes the first turn
    reference: str = ""
    tags: tuple[str, ...] = ()  # lists, or texts with commas or semicolons between tags
    is_sensitive: str = ""  # yes or no

    def __bool__(self) -> bool:
        return any((self.prompt, self.system, self.reference, self.tags, self.is_sensitive))

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are named."""
        named = (self.prompt, self.system, self.reference, *self.tags, self.is_sensitive)
        return tuple(name for name in named if name)


def complete(mapping: ColumnMapping, columns: Iterable[str]) -> ColumnMapping:
    """With the prompt's column, and all others if none is named, recognised by their names. Raises `ColumnsUnknown`."""
    known = list(columns)
    shown = ", ".join(map(repr, known[:30])) or "none"
    if unknown := [name for name in mapping.names if name not in known]:
        raise ColumnsUnknown(f"There is no column {', '.join(map(repr, unknown))}; there are {shown}.")
    prompt = mapping.prompt or _first(PROMPT_NAMES, known)
    if not prompt:
        raise ColumnsUnknown(f"No column looks like the prompt; name it. There are {shown}.")
    if mapping:
        return replace(mapping, prompt=prompt)
    others = [name for name in known if name != prompt]
    return ColumnMapping(
        prompt=prompt,
        system=_first(SYSTEM_NAMES, others),
        reference=_first(REFERENCE_NAMES, others),
        tags=tuple(name for name in others if name.lower() in TAG_NAMES),
        is_sensitive=_first(SENSITIVE_NAMES, others),
    )


def mapped_prompt(row: Row, mapping: ColumnMapping) -> NewPrompt:
    """The prompt of one row. Raises `LineMalformed`."""
    system = _text(row, mapping.system)
    value = row.get(mapping.prompt)
    if value is None:
        raise LineMalformed(f"{mapping.prompt!r} is empty")
    messages = check_conversation(value)
    if system.strip():
        if messages[0]["role"] == "system":
            raise LineMalformed(f"the prompt has a system turn already, and {mapping.system!r} holds another")
        messages = [{"role": "system", "content": clean_text(system)}, *messages]
    return NewPrompt(
        messages=messages,
        reference=clean_text(_text(row, mapping.reference)),
        tags=list(dict.fromkeys(tag for name in mapping.tags for tag in tags_of(row, name))),
        is_sensitive=_yes_or_no(row, mapping.is_sensitive),
    )


def tags_of(row: Mapping[str, Any], name: str) -> list[str]:
    """The tags in one cell: a list of texts, or a text with commas or semicolons. Raises `LineMalformed`."""
    value = row.get(name)
    parts = value if isinstance(value, list) else _text(row, name).replace(";", ",").split(",")
    if not all(isinstance(part, str | int) for part in parts):
        raise LineMalformed(f"{name!r} must be a text or a list of texts")
    tags = [clean_text(str(part)).strip() for part in parts]
    if any(len(tag) > MAX_TAG_CHARACTERS for tag in tags):
        raise LineMalformed(f"{name!r} holds a tag of more than {MAX_TAG_CHARACTERS} characters: it is no tag")
    return [tag for tag in tags if tag]


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name) if name else None
    if value is None:
        return ""
    if isinstance(value, str | int | float):
        return str(value)
    raise LineMalformed(f"{name!r} must be text, it is {type(value).__name__}")


def _yes_or_no(row: Mapping[str, Any], name: str) -> bool:
    word = _text(row, name).strip().lower()
    if word not in YES | NO:
        raise LineMalformed(f"{name!r} must be yes or no (true, 1, unsafe; false, 0, safe), it is {word[:40]!r}")
    return word in YES


def _first(wanted: Iterable[str], columns: Iterable[str]) -> str:
    """The column of the best of these names, in the file's own writing."""
    written = {name.lower(): name for name in reversed(list(columns))}
    return next((written[name] for name in wanted if name in written), "")
