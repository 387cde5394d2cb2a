"""Following events.jsonl while the training process appends to it."""

import json
from pathlib import Path
from typing import Any


class EventTail:
    """Yields each complete line once, from the beginning of the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[dict[str, Any]]:
        """The events that were appended since the last call; a half-written last line waits for its end."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        events = (_parse(line) for line in whole.splitlines())
        return [event for event in events if event is not None]


def _parse(line: bytes) -> dict[str, Any] | None:
    """None for a line that a killed process left torn."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "kind" in event else None
