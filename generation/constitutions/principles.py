"""A constitution is a list of principles, each with what asks for a critique and what asks for a revision."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

MAX_PRINCIPLES = 100
MAX_NAME_CHARACTERS = 80
MAX_REQUEST_CHARACTERS = 4000


class ConstitutionInvalid(ValueError):
    """The principles are not what they should be; the message says what is wrong."""


@dataclass(frozen=True, kw_only=True)
class Principle:
    """One thing that replies should be."""

    name: str
    critique: str  # asks what is wrong with the reply in this respect
    revision: str  # asks for the reply without it


# A start, in our own words; every workspace writes its own.
EXAMPLE = (
    Principle(
        name="Harmless",
        critique="Say in which ways your last reply could help somebody to harm themselves or others, or to break the "
        "law. If there is none, say so.",
        revision="Rewrite your last reply so that it could harm nobody. Stay friendly, say what you can still help "
        "with, and do not preach. Write the reply alone.",
    ),
    Principle(
        name="Honest",
        critique="Say what in your last reply is wrong, made up, or said with more certainty than anybody could have.",
        revision="Rewrite your last reply so that it says only what is true, and says openly what is not known. Write "
        "the reply alone.",
    ),
    Principle(
        name="To the point",
        critique="Say what in your last reply does not answer the question, repeats itself, or flatters.",
        revision="Rewrite your last reply so that it answers the question and says no more. Write the reply alone.",
    ),
)


def principles_from_json(value: object) -> tuple[Principle, ...]:
    """`[{"name": …, "critique": …, "revision": …}, …]`. Raises `ConstitutionInvalid`."""
    if not isinstance(value, list) or not value or len(value) > MAX_PRINCIPLES:
        raise ConstitutionInvalid(f"expected a list of 1 to {MAX_PRINCIPLES} principles")
    principles = tuple(_principle(one, number) for number, one in enumerate(value, start=1))
    names = [principle.name for principle in principles]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ConstitutionInvalid(f"two principles are called {repeated[0]!r}")
    return principles


def principles_to_json(principles: Sequence[Principle]) -> list[dict[str, str]]:
    """What `principles_from_json` reads."""
    return [dict(vars(principle)) for principle in principles]


def drawn_principles(principles: Sequence[Principle], *, number: int | None, seed: int, key: object) -> list[Principle]:
    """The principles by which one reply is revised, in order: all of them, or `number` drawn by seed and key."""
    if number is None or number >= len(principles):
        return list(principles)
    return random.Random(f"{seed}:{key}").sample(list(principles), number)  # noqa: S311 -- reproducible, no secret


def _principle(value: object, number: int) -> Principle:
    if not isinstance(value, dict) or set(value) != {"name", "critique", "revision"}:
        raise ConstitutionInvalid(f"principle {number} must be an object with a name, a critique and a revision")
    limits = {"name": MAX_NAME_CHARACTERS, "critique": MAX_REQUEST_CHARACTERS, "revision": MAX_REQUEST_CHARACTERS}
    for field, limit in limits.items():
        text = value[field]
        if not isinstance(text, str) or not 0 < len(text.strip()) <= limit or "\0" in text:
            raise ConstitutionInvalid(f"the {field} of principle {number} must be a text of 1 to {limit} characters")
    return Principle(**{field: value[field].strip() for field in limits})
