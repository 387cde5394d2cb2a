"""A run's own limit on the tokens of a forward pass, lowered when the machine's memory ran out: `token-limit.json`.

A process that the kernel kills cannot lower it itself, so its supervisor does. It bounds memory and never changes a
loss. No torch here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

NAME: Final = "token-limit.json"
FEWEST: Final = 64  # tokens; halving further saves nothing


def token_limit(directory: Path, *, configured: int) -> int:
    """Tokens that a forward pass of this run may compute: what is configured, or less after the memory ran out."""
    try:
        return min(configured, int(json.loads((directory / NAME).read_text(encoding="utf-8"))["max_tokens"]))
    except (OSError, ValueError, KeyError, TypeError):  # none was needed yet, or only half of it could be written
        return configured


def halve_token_limit(directory: Path, *, configured: int) -> int:
    """Let the next process of this run compute half as much at once; returns its limit."""
    halved = max(FEWEST, token_limit(directory, configured=configured) // 2)
    (directory / NAME).write_text(json.dumps({"max_tokens": halved}), encoding="utf-8")
    return halved
