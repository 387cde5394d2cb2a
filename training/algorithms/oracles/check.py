"""What a check of the training core says: a number that a closed form gives, and the number that was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Check:
    """One number held against its closed form."""

    name: str
    expected: float
    seen: float
    tolerance: float  # absolute

    @property
    def has_passed(self) -> bool:
        """Whether the number is within its tolerance; one that is not a number is not."""
        return abs(self.seen - self.expected) <= self.tolerance


Oracle = Callable[[], Iterable[Check]]  # computes some checks that belong together
