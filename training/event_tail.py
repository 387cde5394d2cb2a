"""Following events.jsonl while the training process appends to it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class EventTail:
    """Yields each complete line once, from the beginning of the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.messages: list[str] = []  # of the log events so far, with their times

    def read(self) -> list[dict[str, Any]]:
        """The events that were appended since the last call; a half-written last line waits for its end."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        parsed = (_parse(line) for line in whole.splitlines())
        events = [event for event in parsed if event is not None]
        self.messages += [_message(event) for event in events if event["kind"] == "log"]
        return events


def _message(event: dict[str, Any]) -> str:
    return f"{datetime.fromtimestamp(event['at'], tz=UTC):%H:%M:%S} {event['message']}"


def _parse(line: bytes) -> dict[str, Any] | None:
    """None for a line that a killed process left torn."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "kind" in event else None
