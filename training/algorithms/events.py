"""What a run tells the world: one JSON object a line in `events.jsonl`, appended and flushed."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

PROGRESS_SECONDS: Final = 10.0  # between two signs of progress


class EventWriter:
    """Appends events. After a resume the steps since the last checkpoint are written a second time."""

    def __init__(self, path: Path) -> None:
        has_torn_line = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")
        self._file = path.open("a", encoding="utf-8")
        self._measured: tuple[int, dict[str, float]] = (-1, {})
        self._progress_at = time.monotonic()
        if has_torn_line:  # a killed process left half a line
            self._file.write("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def step(self, *, step: int, num_steps: int, values: Mapping[str, float]) -> None:
        """Measurements of an optimiser step (of a rollout, in PPO), counted from 1."""
        self._write("step", step=step, num_steps=num_steps, values=finite(values))

    def evaluation(self, *, step: int, num_steps: int, values: Mapping[str, float]) -> None:
        """Measurements on held-out rows after `step` steps."""
        self._measured = (step, finite(values))
        self._write("evaluation", step=step, num_steps=num_steps, values=self._measured[1])

    def measured_at(self, step: int) -> dict[str, float]:
        """What the newest evaluation has measured, provided that it was after `step` steps."""
        return self._measured[1] if self._measured[0] == step else {}

    def progress(self, what: str, *, num_done: int, num_total: int) -> None:
        """A sign that something long before the first step goes on; written every ten seconds at most."""
        if time.monotonic() - self._progress_at >= PROGRESS_SECONDS:
            self._progress_at = time.monotonic()
            self._write("progress", what=what, num_done=num_done, num_total=num_total)

    def checkpoint(self, *, step: int, path: str, manifest_sha256: str, is_final: bool) -> None:
        """A sealed checkpoint, its path relative to the run directory."""
        self._write("checkpoint", step=step, path=path, manifest_sha256=manifest_sha256, is_final=is_final)

    def log(self, message: str) -> None:
        """A sentence for people."""
        self._write("log", message=message)

    def sample(self, *, step: int, prompt: str, text: str) -> None:
        """What the policy answers to a held-out prompt after `step` steps."""
        self._write("sample", step=step, prompt=prompt, text=text)

    def _write(self, kind: str, **fields: Any) -> None:
        self._file.write(json.dumps({"kind": kind, "at": time.time(), **fields}, ensure_ascii=False) + "\n")
        self._file.flush()


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """The values that JSON can write; a measurement that is not a number is left out."""
    return {name: value for name, value in values.items() if math.isfinite(value)}
