"""Which of a task's fields is the prompt and which are the replies, where the file itself does not say so."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from annotation.judgment_import.votes import MAX_REPLIES
from core.source_rows import LineMalformed
from generation.prompt_lines import check_conversation

MARKED = re.compile(r"(?P<stem>.*?)[\s_.-]*(?P<mark>\d{1,2}|[a-i]|left|right|first|second|one|two)", re.IGNORECASE)
PROMPT_NAMES = (
    "prompt", "instruction", "question", "query", "input", "messages", "conversation", "dialogue", "chat", "history",
    "context", "text",
)  # fmt: skip
REPLY_NAMES = ("response", "completion", "answer", "reply", "output", "generation", "generated")
PLACES = {"left": 0, "right": 1, "first": 0, "second": 1, "one": 0, "two": 1}
WORD = re.compile(r"[^0-9a-z]+")


@dataclass(frozen=True, kw_only=True)
class TaskFields:
    """A task as a prompt and named replies."""

    messages: list[dict[str, str]]
    names: tuple[str, ...]  # of the replies, in the file's order
    texts: tuple[str, ...]

    def place_of(self, word: str) -> int | None:
        """The reply that a word means: its own name, the mark at its end (2, b, right), or an unmistakable part."""
        wanted = plain(word)
        names = [plain(name) for name in self.names]
        if wanted in names:
            return names.index(wanted)
        marks = [mark_of(name) for name in self.names]
        mark = mark_of(word)
        if mark and mark in marks and marks.count(mark) == 1:
            return marks.index(mark)
        place = ordinal(mark)
        return place if place is not None and place < len(names) else None


def task_fields(fields: Mapping[str, object]) -> TaskFields:
    """Prompt and replies: replies are those fields that differ only in a number, letter or side at their end, or one
    field that is named like a reply. Raises `LineMalformed`."""
    names = _marked_names(fields) or _single_name(fields)
    prompt = _prompt_name(fields, names)
    texts = tuple(as_text(fields[name], f'"{name}"') for name in names)
    return TaskFields(messages=check_conversation(fields[prompt]), names=tuple(names), texts=texts)


def plain(word: str) -> str:
    """Lower case, letters and digits only."""
    return WORD.sub("", word.lower())


def mark_of(name: str) -> str:
    """The number, letter or side at the end of a name; nothing if it has none."""
    found = MARKED.fullmatch(name.strip())
    return found["mark"].lower() if found else ""


def ordinal(mark: str) -> int | None:
    """The place that a mark counts: b → 1, 2 → 1, right → 1."""
    if mark.isdecimal():
        return int(mark) - 1 if int(mark) >= 1 else None
    if len(mark) == 1 and "a" <= mark <= "i":
        return ord(mark) - ord("a")
    return PLACES.get(mark)


def as_text(value: object, name: str) -> str:
    """A reply: a text, or a list of messages whose last is the reply. Raises `LineMalformed`."""
    if isinstance(value, list) and value and isinstance(value[-1], dict):
        value = value[-1].get("content")
    if not isinstance(value, str) or not value.strip():
        raise LineMalformed(f"the reply {name} must be text")
    return value


def _marked_names(fields: Mapping[str, object]) -> list[str]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name, value in fields.items():
        found = MARKED.fullmatch(name.strip())
        if found and isinstance(value, str | list):
            groups[plain(found["stem"])].append(name)
    sets = [names for names in groups.values() if len(names) >= 2]
    if len(sets) > 1:
        sets = [names for stem, names in groups.items() if len(names) >= 2 and stem.rstrip("s") in REPLY_NAMES]
    if len(sets) != 1:
        return []
    if len(sets[0]) > MAX_REPLIES:
        raise LineMalformed(
            f"{len(sets[0])} replies ({', '.join(sets[0][:3])}, …), at most {MAX_REPLIES} can be compared"
        )
    return sorted(sets[0], key=lambda name: (ordinal(mark_of(name)) or 0, name))


def _single_name(fields: Mapping[str, object]) -> list[str]:
    return [name for name in fields if plain(name) in REPLY_NAMES][:1]


def _prompt_name(fields: Mapping[str, object], replies: Sequence[str]) -> str:
    left = [name for name, value in fields.items() if name not in replies and value]
    for wanted in PROMPT_NAMES:
        if found := [name for name in left if plain(name) == wanted]:
            return found[0]
    texts = [name for name in left if isinstance(fields[name], str)]
    if len(texts) == 1 and replies:
        return texts[0]
    raise LineMalformed(
        f"no field is recognised as the prompt among {', '.join(map(str, fields)) or 'none'}; "
        f"name it one of {', '.join(PROMPT_NAMES)}"
    )
