"""Trying a request again: how often, how long to wait in between, and when to give up."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from generation.engines.errors import EngineError

Result = TypeVar("Result")


class TryAgain(Exception):
    """The attempt failed in a way that may pass: `error` is what to raise when patience ends."""

    def __init__(self, error: EngineError, *, retry_after: float | None = None) -> None:
        self.error = error
        self.retry_after = retry_after  # seconds that the server asked for
        super().__init__(str(error))


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Exponential back-off with jitter. A server's Retry-After is kept to where it is longer."""

    max_attempts: int = 5
    first_delay: float = 0.5  # seconds
    max_delay: float = 30.0  # seconds of back-off
    max_retry_after: float = 120.0  # seconds; a server that wants to be left alone for longer is given up at once

    def delay(self, attempt: int, retry_after: float | None) -> float:
        """Seconds to wait after attempt number `attempt` (from 1)."""
        backoff = self.first_delay * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - only spreads load
        return max(min(backoff, self.max_delay), retry_after or 0.0)

    def call(self, attempt_once: Callable[[], Result], *, sleep: Callable[[float], object] = time.sleep) -> Result:
        """The result of the first attempt that does not raise TryAgain; after the last one its error is raised."""
        for attempt in range(1, self.max_attempts + 1):
            try:
                return attempt_once()
            except TryAgain as again:
                if attempt == self.max_attempts or (again.retry_after or 0.0) > self.max_retry_after:
                    raise again.error from again.__cause__
                sleep(self.delay(attempt, again.retry_after))
        raise ValueError(f"max_attempts must be 1 or more, got {self.max_attempts}")


class Pause:
    """A time before which nobody asks a server again, shared by all requests to it. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends_at = 0.0  # of time.monotonic()

    def extend(self, seconds: float) -> None:
        """Nobody asks within the next `seconds`."""
        with self._lock:
            self._ends_at = max(self._ends_at, time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds that are left of it; 0 where there is none."""
        with self._lock:
            return max(0.0, self._ends_at - time.monotonic())


def parse_retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which is a number or an HTTP date; None if there is none to understand."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
