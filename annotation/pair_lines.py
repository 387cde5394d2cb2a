"""Reading preference pairs from JSON Lines: Anthropic's hh-rlhf layout and TRL's, plain and conversational.

hh-rlhf: `{"chosen": "\\n\\nHuman: …\\n\\nAssistant: …", "rejected": …}`, two dialogues that differ in their last reply.
TRL plain: `{"prompt": "…", "chosen": "…", "rejected": "…"}`.
TRL conversational: the same with lists of `{role, content}`; without a prompt, the shared first turns are the prompt.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core.source_rows import LineMalformed, parse_object
from generation.dialogue_text import is_dialogue, turns_of
from generation.prompt_lines import check_conversation, clean_text


@dataclass(frozen=True, kw_only=True)
class PreferencePair:
    """One judgment from a file: which of two replies is better."""

    messages: list[dict[str, str]]
    chosen: str
    rejected: str


def parse_pairs(lines: Iterable[str]) -> tuple[list[PreferencePair], list[tuple[int, str]]]:
    """Every pair, and (line number, reason) of each line that holds none. Blank lines are passed over."""
    pairs: list[PreferencePair] = []
    problems: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            pairs.append(parse_pair(parse_object(line)))
        except LineMalformed as error:
            problems.append((number, str(error)))
    return pairs, problems


def parse_pair(row: dict[str, Any]) -> PreferencePair:
    """One line in any of the layouts. Raises `LineMalformed`."""
    for key in ("chosen", "rejected"):
        if key not in row:
            raise LineMalformed(f'expected "chosen" and "rejected", {key} is missing')
    chosen, rejected = row["chosen"], row["rejected"]
    if type(chosen) is not type(rejected):
        raise LineMalformed('"chosen" and "rejected" must both be text or both be lists of messages')
    if "prompt" in row:
        return _checked(row["prompt"], _reply(chosen, "chosen"), _reply(rejected, "rejected"))
    if isinstance(chosen, str) and is_dialogue(chosen):
        chosen, rejected = turns_of(chosen), turns_of(rejected)
    if not isinstance(chosen, list):
        raise LineMalformed('without a "prompt", both replies must be dialogues: hh-rlhf text or lists of messages')
    return _from_dialogues(chosen, rejected)


def _from_dialogues(chosen: list[Any], rejected: list[Any]) -> PreferencePair:
    """Two dialogues that share all turns but the last."""
    equal = (ours == theirs for ours, theirs in zip(chosen, rejected, strict=False))
    shared = sum(1 for _ in itertools.takewhile(bool, equal))
    if chosen == rejected:
        raise LineMalformed("the chosen and the rejected reply are equal")
    if shared != len(chosen) - 1 or shared != len(rejected) - 1:
        raise LineMalformed("the two dialogues must share every turn but the last reply")
    return _checked(chosen[:shared], _reply(chosen[shared:], "chosen"), _reply(rejected[shared:], "rejected"))


def _reply(value: object, name: str) -> str:
    """A reply that is a text, or a list of one message from the assistant."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        if value[0].get("role") != "assistant":
            raise LineMalformed(f"the {name} reply must be the assistant's, it is the {value[0].get('role')}'s")
        if isinstance(value[0].get("content"), str):
            return str(value[0]["content"])
    raise LineMalformed(f'"{name}" must be text or one assistant message')


def _checked(prompt: object, chosen: str, rejected: str) -> PreferencePair:
    messages = check_conversation(prompt)
    chosen, rejected = clean_text(chosen).strip(), clean_text(rejected).strip()
    for name, text in (("chosen", chosen), ("rejected", rejected)):
        if not text:
            raise LineMalformed(f"the {name} reply has no text")
    if chosen == rejected:
        raise LineMalformed("the chosen and the rejected reply are equal")
    return PreferencePair(messages=messages, chosen=chosen, rejected=rejected)
