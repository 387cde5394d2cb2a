"""Dialogues written as one text with "Human:" and "Assistant:" before the turns, as in Anthropic's hh-rlhf."""

from __future__ import annotations

import re

from core.source_rows import LineMalformed

TURN = re.compile(r"\n\n(Human|Assistant): ?")
ROLES = {"Human": "user", "Assistant": "assistant"}


def is_dialogue(text: str) -> bool:
    """Whether the text starts with a turn."""
    return TURN.match(text) is not None


def turns_of(dialogue: str) -> list[dict[str, str]]:
    """The text as messages. Raises `LineMalformed` for text before the first turn."""
    pieces = TURN.split(dialogue)
    if pieces[0].strip():
        raise LineMalformed("a dialogue must start with '\\n\\nHuman:'")
    return [
        {"role": ROLES[name], "content": content.strip()}
        for name, content in zip(pieces[1::2], pieces[2::2], strict=True)
    ]
