"""What is remarkable about one reply. A flag is a warning to people; it deletes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generation.candidate_quality.language import language_of
from generation.candidate_quality.refusals import is_refusal
from generation.candidate_quality.repetition import is_looping, repeated_share

EMPTY = "empty"  # nothing but blanks
TRUNCATED = "truncated"  # cut off at the limit of new tokens
REFUSAL = "refusal"  # declines to answer
LANGUAGE = "language"  # another language than that of the prompt's last turn
REPETITION = "repetition"  # has fallen into a loop


@dataclass(frozen=True, kw_only=True)
class Flag:
    """One remarkable thing, and what exactly."""

    kind: str
    detail: str = ""


def flags_of(messages: Sequence[Mapping[str, str]], text: str, finish_reason: str = "") -> list[Flag]:
    """All flags of a reply to these messages."""
    if not text.strip():
        return [Flag(kind=EMPTY)]
    found = []
    if finish_reason == "length":
        found.append(Flag(kind=TRUNCATED))
    if is_refusal(text):
        found.append(Flag(kind=REFUSAL))
    if is_looping(text):
        found.append(Flag(kind=REPETITION, detail=f"{repeated_share(text):.0%} of 4-grams repeated"))
    asked, answered = language_of(str(messages[-1]["content"])), language_of(text)
    if asked and answered and asked != answered:
        found.append(Flag(kind=LANGUAGE, detail=f"{answered}, asked in {asked}"))
    return found
