"""When a run gets nowhere: its events are the sign, not that its process lives. No Django here."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

PATIENCE: Final = 10.0  # times the longest pause between two events so far: an evaluation takes longer than a step


@dataclass(kw_only=True)
class Watchdog:
    """Watches the events of one process."""

    floor_seconds: float  # no silence shorter than this counts; before the second event it is all that is known
    clock: Callable[[], float] = time.monotonic  # seconds
    longest_pause: float = 0.0  # seconds between two events of this process
    _heard_at: float = field(init=False)
    _num_heard: int = 0

    def __post_init__(self) -> None:
        self._heard_at = self.clock()

    @property
    def limit(self) -> float:
        """Seconds of silence after which a run counts as stalled."""
        return max(self.floor_seconds, PATIENCE * self.longest_pause)

    @property
    def silence(self) -> float:
        """Seconds since the last event, or since the start."""
        return self.clock() - self._heard_at

    @property
    def is_stalled(self) -> bool:
        """Whether the run has been silent for too long."""
        return self.silence > self.limit

    def heard(self) -> None:
        """Something came. The time until the first event is that of starting, and says nothing about steps."""
        if self._num_heard:
            self.longest_pause = max(self.longest_pause, self.silence)
        self._num_heard += 1
        self._heard_at = self.clock()
