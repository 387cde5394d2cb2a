"""What an evaluation found out about one model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evaluation.metrics import Score
from generation.models import LanguageModel


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One metric of one model."""

    model: LanguageModel
    metric: str
    score: Score
    details: dict[str, Any]
