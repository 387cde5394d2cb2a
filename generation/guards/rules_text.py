"""Rules as people write them: a label in brackets, and under it a word, a phrase or a /pattern/ a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from generation.guards.rules import GuardRule, RulesInvalid, rules_from_json


def rules_to_text(rules: Sequence[GuardRule]) -> str:
    """What `rules_from_text` reads."""
    return "\n\n".join(
        "\n".join([f"[{rule.label}]", *rule.words, *(f"/{pattern}/" for pattern in rule.patterns)]) for rule in rules
    )


def rules_from_text(text: str) -> tuple[GuardRule, ...]:
    """Empty lines and lines that begin with # say nothing. Raises `RulesInvalid`."""
    found: dict[str, dict[str, Any]] = {}
    rule: dict[str, Any] | None = None
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            rule = _begun(found, line[1:-1].strip())
        elif rule is None:
            raise RulesInvalid(f"line {number} stands under no label; begin with one in brackets, such as [medicine]")
        elif len(line) > 2 and line.startswith("/") and line.endswith("/"):
            rule["patterns"].append(line[1:-1])
        else:
            rule["words"].append(line)
    return rules_from_json(list(found.values()))


def _begun(found: dict[str, dict[str, Any]], label: str) -> dict[str, Any]:
    if label in found:
        raise RulesInvalid(f"the label {label!r} comes twice; put everything under one")
    found[label] = {"label": label, "words": [], "patterns": []}
    return found[label]
