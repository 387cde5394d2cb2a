"""A stopwatch for trainers built on transformers; runs with TRL's Python."""

from __future__ import annotations

import time
from typing import Any

import torch
from transformers import TrainerCallback


class Clock(TrainerCallback):
    """When training began, when each step ended, and what was logged."""

    def __init__(self) -> None:
        self.begun = 0.0
        self.ended: list[float] = []
        self.logs: list[dict[str, float]] = []
        self.losses: list[torch.Tensor] = []
        self.reference_seconds = 0.0

    def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
        """The clock starts."""
        self.begun = time.perf_counter()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """An optimiser step is done."""
        self.ended.append(time.perf_counter())

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        """Keep what the trainer tells."""
        self.logs.append(kwargs["logs"])
