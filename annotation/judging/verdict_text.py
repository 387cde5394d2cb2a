"""Verdicts in the text of a reply: a letter, points, an order, points by reply, yes or no by criterion.

Each reader looks at every place where its verdict may stand (the whole text, JSON, `[[…]]`, a line such as
"Verdict: A") and wants them to say one and the same thing. Otherwise it raises `NoVerdict`: two verdicts are none.
A reply that is JSON as a whole is read as JSON alone, because its strings may quote anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from annotation.judging.outcomes import ReadAs
from annotation.judging.reply_text import ReadableText, member

T = TypeVar("T")
Found = tuple[Any, ReadAs]

VERDICT_KEYS = ("verdict", "winner", "preference", "better", "choice", "answer")
POINT_KEYS = ("score", "rating", "points", "grade")

_NOUN = r"(?:reply|response|assistant|output|option|answer|candidate|completion|model|text)"
_BRACKETS = re.compile(r"\[\[([^\[\]]{0,80})\]\]")
_SINGLE_BRACKETS = re.compile(r"(?<!\[)\[\s*(-?\d+(?:\.\d+)?)\s*\](?!\]|\()")
_VERDICT_LINE = re.compile(
    rf"^[^\w\"{{\n]{{0,30}}(?i:(?:(?:my|the|so|therefore|thus)\W{{1,9}}){{0,5}}(?:final\s+|overall\s+)?"
    rf"(?:verdict|answer|winner|judge?ment|choice|decision|preference|better\s+{_NOUN}|better)"
    rf"\W{{0,9}}?(?:\bis\b|:|=|-|–)[^\w\n]{{0,30}}(?:the\s+)?(?:{_NOUN}\W{{1,9}})?)"
    r"(?P<label>[A-I]|(?i:tie|draw|equal))\b(?P<rest>[^\n]*)$",
    re.MULTILINE,
)
_POINT_LINE = re.compile(
    r"^[^\w\"{\n]{0,30}(?:(?:my|the|so|therefore|final|overall)\W{1,9}){0,5}(?:score|rating|points|grade)"
    r"\W{0,9}?(?:\bis\b|:|=|-|–)[^\w\n-]{0,30}(?P<number>[^\n]*)$",
    re.MULTILINE | re.IGNORECASE,
)
_NUMBER = re.compile(
    r"^[\s*_\"'(]*(?P<points>[+-]?\d{1,6}(?:\.\d{1,6})?)(?:\s*(?:/|out of)\s*(?P<of>\d{1,6}))?"
    r"(?![\w%]|\.\d|\s*[-–~]\s*\d|\s*(?:to|or|/)\s*\d)",
    re.IGNORECASE,
)
_ENTRY = re.compile(
    rf"^[\s*\-#•]*(?:{_NOUN}\s+)?[\[(*]*(?P<name>[A-I]|\d{{1,2}})[\])*.]*\s*[:=.)–-]+\s*(?P<value>.+)$", re.I
)
_RANKING_LINE = re.compile(
    r"^[^\w\"{\n]{0,30}(?:final\s+|overall\s+)?(?:ranking|order|rank)\W{0,9}?(?:\bis\b|:|=)[ \t]*(?P<order>[^\n]+)$",
    re.M | re.I,
)
_NO_ORDER = re.compile(r"[^\s\[\](){}A-I>=,≻~*`\"'.]")  # what no bare ranking has in it
_YES, _NO = ("yes", "y", "true", "met", "satisfied", "pass"), ("no", "n", "false", "unmet", "not met", "fail")
_TIES = ("c", "tie", "tied", "draw", "equal", "both", "same", "neither")


class NoVerdict(ValueError):
    """A reply has no verdict, or more than one."""


def read_label(found: ReadableText, *, allows_ties: bool) -> tuple[str, ReadAs]:
    """ "A", "B" or "tie". Raises NoVerdict."""

    def label(value: Any) -> str:
        return _label(value, allows_ties=allows_ties)

    if found.whole is None and (exact := _exact(found.text, label)):
        return exact, "choice"
    return one_of(_places(found, VERDICT_KEYS, label, _verdict_lines(found.around)), "verdict")


def read_points(found: ReadableText, *, points: int) -> tuple[float, ReadAs]:
    """Points of 1 … `points`. Raises NoVerdict."""

    def number(value: Any) -> float:
        return read_number(value, points=points)

    if found.whole is None and _NUMBER.match(found.text) and len(found.text) <= 20:
        return number(found.text), "choice"
    lines = [match["number"] for match in _POINT_LINE.finditer(found.around)]
    places = list(_places(found, POINT_KEYS, number, lines))
    if not places:
        places = [(number(match[1]), "brackets") for match in _SINGLE_BRACKETS.finditer(found.around)]
    return one_of(iter(places), "score")


def read_order(found: ReadableText, *, letters: str, allows_ties: bool) -> tuple[list[list[str]], ReadAs]:
    """Tiers of letters, best first, each letter once. Raises NoVerdict."""

    def order(value: Any) -> tuple[tuple[str, ...], ...]:
        return _tiers(value, letters=letters, allows_ties=allows_ties)

    if found.whole is None and _is_bare_order(found.text):
        return [list(tier) for tier in order(found.text.replace("[[", "").replace("]]", ""))], "choice"
    lines = [match["order"] for match in _RANKING_LINE.finditer(found.around)]
    tiers, read_as = one_of(_places(found, ("ranking", "order", "ranks", "tiers"), order, lines), "ranking")
    return [list(tier) for tier in tiers], read_as


def read_entries(
    found: ReadableText, *, keys: tuple[str, ...], names: Sequence[str], value_of: Callable[[Any], T]
) -> tuple[dict[str, T], ReadAs]:
    """One value for each of `names` (letters of replies, numbers of criteria), from JSON or lines. Raises NoVerdict."""
    readings: list[tuple[dict[str, T], ReadAs]] = [
        (_entries(values, names, value_of), "json")
        for whole in found.objects
        if (values := _entry_object(whole, keys, names)) is not None
    ]
    if not readings and (lines := _entry_lines(found.around, names)):
        readings = [(_entries(lines, names, value_of), "line")]
    if not readings:
        raise NoVerdict("there is no value for each of " + ", ".join(names))
    if any(reading[0] != readings[0][0] for reading in readings):
        raise NoVerdict("there are several lists of values and they differ")
    return readings[0]


def read_number(value: Any, *, points: int) -> float:
    """Points of 1 … `points` from a number or a text that begins with one. Raises NoVerdict."""
    if isinstance(value, str):
        match = _NUMBER.match(value)
        if not match or (match["of"] and int(match["of"]) != points):
            raise NoVerdict(f"{value[:60]!r} is no number of points out of {points}")
        value = float(match["points"])
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise NoVerdict(f"{value!r} is no number of points")
    if not 1 <= value <= points:
        raise NoVerdict(f"{value:g} lies outside 1–{points}")
    return float(value)


def read_yes(value: Any) -> bool:
    """Yes or no. Raises NoVerdict."""
    if isinstance(value, bool):
        return value
    words = str(value).strip().strip("*_\"'.`[]()").lower() if isinstance(value, str) else ""
    first = re.split(r"[\s,.;:–—-]+", words)[0] if words else ""
    if words in _YES or (first in _YES and not re.search(r"\bno\b", words)):
        return True
    if words in _NO or (first in _NO and not re.search(r"\byes\b", words)):
        return False
    raise NoVerdict(f"{value!r} is neither yes nor no")


def one_of(places: Iterator[tuple[T, ReadAs]], what: str) -> tuple[T, ReadAs]:
    """What all places say. Raises NoVerdict if there are none or they differ."""
    found = list(places)
    if not found:
        raise NoVerdict(f"there is no {what}")
    if different := [value for value, _ in found if value != found[0][0]]:
        raise NoVerdict(f"there are two verdicts, {found[0][0]} and {different[0]}")
    return found[0]


def _places(
    found: ReadableText, keys: tuple[str, ...], value_of: Callable[[Any], T], lines: Sequence[str]
) -> Iterator[tuple[T, ReadAs]]:
    """Each place where a verdict stands. Raises NoVerdict for one that holds something else."""
    for values in found.objects:
        if (value := member(values, *keys)) is not None:
            yield value_of(value), "json"
    for match in _BRACKETS.finditer(found.around):
        yield value_of(match[1]), "brackets"
    for line in lines:
        if not _BRACKETS.search(line):
            yield value_of(line), "line"


def _exact(text: str, label: Callable[[Any], str]) -> str:
    """The verdict that the whole text is; empty if it is more than that."""
    if len(text) > 40 or "\n" in text.strip():
        return ""
    try:
        return label(text)
    except NoVerdict:
        return ""


def _label(value: Any, *, allows_ties: bool) -> str:
    words = re.sub(r"[\s*_\"'`\[\](){}.:,!<>]+", " ", value).strip().lower() if isinstance(value, str) else ""
    bare = re.sub(rf"^(?:the )?{_NOUN} (?=[a-i]$)", "", words)
    if bare in ("a", "b"):
        return bare.upper()
    if bare in _TIES:
        if not allows_ties:
            raise NoVerdict("it is a tie, which this question does not allow")
        return "tie"
    raise NoVerdict(f"{str(value)[:60]!r} is no verdict")


def _is_bare_order(text: str) -> bool:
    """Whether a text is a ranking such as "B > A = C" and nothing else."""
    return 0 < len(text) <= 200 and not _NO_ORDER.search(re.sub(rf"(?i)\b{_NOUN}\b", "", text))


def _verdict_lines(text: str) -> list[str]:
    """What lines such as "Verdict: A" say; with more words behind the letter, the words too."""
    lines = []
    for match in _VERDICT_LINE.finditer(text):
        rest = match["rest"].strip().strip("*_\"'`)]. ")
        follows = re.match(r"(?:is better|wins|[,;:(–—-])", match["rest"].strip(), re.IGNORECASE)
        other = re.search(r"\b(?:or|and)\s+[A-I]\b|\btie\b", rest)
        lines.append(match["label"] if (not rest or follows) and not other else f"{match['label']} {rest}")
    return lines


def _tiers(value: Any, *, letters: str, allows_ties: bool) -> tuple[tuple[str, ...], ...]:
    if isinstance(value, str):
        bare = re.sub(rf"\b{_NOUN}\b|[\[\](){{}}*`\"'.\s]", "", value, flags=re.IGNORECASE).upper().replace("≻", ">")
        separator = ">" if ">" in bare else ","
        value = [list(re.sub("[=~,]", "", tier)) for tier in bare.split(separator)]
    if not isinstance(value, list):
        raise NoVerdict(f"{value!r} is no ranking")
    tiers = [tier if isinstance(tier, list) else [tier] for tier in value]
    names = tuple(tuple(sorted(_letter(name) for name in tier)) for tier in tiers)
    if sorted(name for tier in names for name in tier) != sorted(letters) or not all(names):
        raise NoVerdict(f"the ranking does not name each of {', '.join(letters)} once")
    if not allows_ties and len(names) < len(letters):
        raise NoVerdict("the ranking has ties, which this question does not allow")
    return names


def _letter(value: Any) -> str:
    name = re.sub(rf"^(?:the )?{_NOUN} ", "", str(value).strip(" []*\"'.").lower()) if isinstance(value, str) else ""
    return name.upper()


def _entry_object(whole: dict[str, Any], keys: tuple[str, ...], names: Sequence[str]) -> dict[str, Any] | None:
    """name → value, from an object or a list under one of the keys, or from the object itself."""
    values = member(whole, *keys)
    if isinstance(values, list):
        listed = [item for item in values if isinstance(item, dict)]
        named = {str(member(item, "criterion", "number", "id", "reply", "name")): item for item in listed}
        return named if len(named) == len(values) else dict(zip(names, values, strict=False))
    if isinstance(values, dict):
        return values
    return whole if {_entry_name(key) for key in whole} & set(names) else None


def _entry_lines(text: str, names: Sequence[str]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for line in text.splitlines():
        match = _ENTRY.match(line) if len(line) < 1000 else None
        if match and (name := _entry_name(match["name"])) in names:
            if name in entries and entries[name] != match["value"]:
                raise NoVerdict(f"{name} stands there twice")
            entries[name] = match["value"]
    return entries


def _entries(values: dict[str, Any], names: Sequence[str], value_of: Callable[[Any], T]) -> dict[str, T]:
    by_name = {_entry_name(key): value for key, value in values.items()}
    if missing := [name for name in names if name not in by_name]:
        raise NoVerdict(f"nothing is said about {', '.join(missing)}")
    return {name: value_of(_inner(by_name[name])) for name in names}


def _inner(value: Any) -> Any:
    """The value of an entry that has its reasons beside it."""
    inner_keys = (*POINT_KEYS, "met", "answer", "value", "verdict")
    return member(value, *inner_keys) if isinstance(value, dict) else value


def _entry_name(key: Any) -> str:
    return re.sub(rf"^(?:{_NOUN}|criterion|item)[\s_]+", "", str(key).strip().lower()).upper()
