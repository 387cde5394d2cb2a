"""Rules: words and regular expressions under a label. Few, for a long list flags everything and nobody looks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import regex

MAX_RULES = 50
MAX_PHRASES = 500  # of all rules
MAX_CHARACTERS = 200  # of a word or pattern
MAX_CHARACTERS_READ = 20_000
PATTERN_SECONDS = 0.1  # for one pattern in one text; a good one needs a hundredth of it
_LABEL = re.compile(r"[\w .&/-]{1,60}")


class RulesInvalid(ValueError):
    """The rules are not what they should be; the message says what is wrong."""


@dataclass(frozen=True, kw_only=True)
class GuardRule:
    """What stands for one label, whatever its case."""

    label: str
    words: tuple[str, ...] = ()  # whole words or phrases
    patterns: tuple[str, ...] = ()  # regular expressions


# Enough to see what rules do; every workspace has its own.
DEFAULT_RULES = (
    GuardRule(label="self-harm", words=("suicide", "suicidal", "kill myself", "self-harm", "hurt myself")),
    GuardRule(label="weapons", words=("pipe bomb", "nerve agent", "explosives", "molotov cocktail", "ghost gun")),
    GuardRule(
        label="personal data",
        patterns=(
            r"\b[\w.+-]{1,64}@[\w-]{1,63}\.[\w.]{2,24}\b",  # an e-mail address
            r"\b(?:\d{4}[ -]?){3}\d{4}\b",  # a card number
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RuleReading:
    """What rules say of a text."""

    labels: tuple[str, ...]  # in the order of the rules
    given_up: tuple[str, ...] = ()  # patterns that took too long, so that nobody knows


class RuleGuard:
    """Finds the labels whose words or patterns stand in a text."""

    def __init__(self, rules: Sequence[GuardRule] = DEFAULT_RULES) -> None:
        self._rules = [
            (rule.label, _words(rule.words), [regex.compile(one, regex.IGNORECASE) for one in rule.patterns])
            for rule in rules
        ]

    def read(self, text: str) -> RuleReading:
        """Its first 20,000 characters."""
        start = text[:MAX_CHARACTERS_READ]
        labels: list[str] = []
        given_up: list[str] = []
        for label, words, patterns in self._rules:
            if (words and words.search(start)) or _any_found(patterns, start, given_up):
                labels.append(label)
        return RuleReading(labels=tuple(labels), given_up=tuple(given_up))


def _any_found(patterns: Sequence[Any], text: str, given_up: list[str]) -> bool:
    """Whether one of the patterns stands in the text; those that take too long are noted."""
    for pattern in patterns:
        try:
            if pattern.search(text, timeout=PATTERN_SECONDS):
                return True
        except TimeoutError:
            given_up.append(pattern.pattern)
    return False


def rules_from_json(value: object) -> tuple[GuardRule, ...]:
    """`[{"label": …, "words": […], "patterns": […]}, …]`. Raises `RulesInvalid`."""
    if not isinstance(value, list) or not value or len(value) > MAX_RULES:
        raise RulesInvalid(f"expected a list of 1 to {MAX_RULES} rules")
    rules = tuple(_rule(one, number) for number, one in enumerate(value, start=1))
    if sum(len(rule.words) + len(rule.patterns) for rule in rules) > MAX_PHRASES:
        raise RulesInvalid(f"at most {MAX_PHRASES} words and patterns in all")
    return rules


def rules_to_json(rules: Sequence[GuardRule]) -> list[dict[str, Any]]:
    """What `rules_from_json` reads."""
    return [{"label": rule.label, "words": list(rule.words), "patterns": list(rule.patterns)} for rule in rules]


def _rule(value: object, number: int) -> GuardRule:
    if not isinstance(value, dict) or not set(value) <= {"label", "words", "patterns"}:
        raise RulesInvalid(f"rule {number} must be an object with a label, words and patterns")
    label = value.get("label")
    if not isinstance(label, str) or not _LABEL.fullmatch(label):
        raise RulesInvalid(f"rule {number} needs a label of 1 to 60 letters, digits, blanks and .&/-, got {label!r}")
    words, patterns = _phrases(value, "words", number), _phrases(value, "patterns", number)
    if not words and not patterns:
        raise RulesInvalid(f"rule {number} ({label}) has neither words nor patterns")
    for pattern in patterns:
        _check_pattern(pattern, number)
    return GuardRule(label=label, words=words, patterns=patterns)


def _phrases(value: dict[str, Any], name: str, number: int) -> tuple[str, ...]:
    found = value.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) and 0 < len(one) <= MAX_CHARACTERS for one in found):
        raise RulesInvalid(f"{name} of rule {number} must be a list of texts of 1 to {MAX_CHARACTERS} characters")
    return tuple(found)


def _check_pattern(pattern: str, number: int) -> None:
    try:
        fits_nothing = regex.compile(pattern).search("", timeout=PATTERN_SECONDS)
    except (regex.error, RecursionError, OverflowError) as error:
        raise RulesInvalid(f"{pattern!r} of rule {number} is no regular expression: {error}") from None
    except TimeoutError:
        raise RulesInvalid(f"{pattern!r} of rule {number} takes too long even for the empty text") from None
    if fits_nothing is not None:
        raise RulesInvalid(f"{pattern!r} of rule {number} fits the empty text, so it would flag everything")


def _words(words: Sequence[str]) -> re.Pattern[str] | None:
    """Whole words, whatever their case."""
    whole = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)
    return re.compile(whole, re.IGNORECASE) if words else None
