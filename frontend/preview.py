"""The first rows of a frozen dataset, read from its JSON Lines file without loading the rest."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

MESSAGE_COLUMNS = ("prompt", "messages")


def first_rows(path: Path, count: int) -> list[dict[str, Any]]:
    """Up to `count` rows; conversations that are stored as JSON strings come as lists. No file, no rows."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as lines:
        return [readable(json.loads(line)) for line in islice(lines, count)]


def readable(row: dict[str, Any]) -> dict[str, Any]:
    """The row with conversations that are stored as JSON strings as lists."""
    for name in MESSAGE_COLUMNS:
        if isinstance(row.get(name), str) and row[name].startswith("["):
            row[name] = json.loads(row[name])
    return row
