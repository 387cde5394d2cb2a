"""A running order: its directory, its events, the wish to stop, and how its state goes to disk and back."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from training.algorithms.checkpoints import Checkpoint, newest_valid, write_checkpoint
from training.algorithms.config import config_fields
from training.algorithms.devices import own_device, random_state, restore_random_state
from training.algorithms.events import EventWriter
from training.algorithms.models import LanguageModel, RewardModel
from training.algorithms.optimiser import AdamW
from training.algorithms.retention import finish_removals, retain
from training.algorithms.sharding import whole_weights
from training.algorithms.spec import REFERENCE_CACHE, Spec
from training.algorithms.team import Team
from training.algorithms.weights import load_weights, save_weights


class Stopped(Exception):
    """The run was asked to stop and has saved what it had."""


@dataclass(kw_only=True)
class Trainables:
    """Everything that changes while a run goes on."""

    model: LanguageModel | RewardModel  # what the run is for: the checkpoint's own weights
    tokenizer: PreTrainedTokenizerFast
    optimisers: Mapping[str, AdamW]
    side_models: Mapping[str, LanguageModel | RewardModel] = field(default_factory=dict)  # a critic
    numbers: dict[str, float] = field(default_factory=dict)  # running statistics, an adaptive beta


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What the processes of a team hold between them, as whole tensors."""

    weights: dict[str, Tensor] | None  # of the network; None where this process has them all
    optimisers: Mapping[str, dict[str, Tensor]]

    @classmethod
    def of(cls, trainables: Trainables, *, is_final: bool) -> Self:
        """All processes have to ask at once. A final checkpoint needs no optimisers."""
        wanted = {} if is_final else trainables.optimisers
        return cls(
            weights=whole_weights(trainables.model.network),
            optimisers={name: optimiser.tensors() for name, optimiser in wanted.items()},
        )


@dataclass(kw_only=True)
class Session:
    """One process working on one run directory."""

    directory: Path
    spec: Spec
    events: EventWriter
    is_stop_requested: Callable[[], bool]  # whether SIGTERM has come
    team: Team = field(default_factory=Team)  # the processes that work on it
    device: torch.device = field(default_factory=own_device)  # where this process computes
    started_at: float = field(default_factory=time.monotonic)
    seconds_before: float = 0.0  # wall time of earlier processes of this run
    freed: list[int] = field(default_factory=list)  # bytes of each checkpoint that this process has removed
    saved_step: int | None = None  # of the newest checkpoint that this process has written or resumed from

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.directory / "checkpoints"

    @property
    def data(self) -> Path:
        """The file of examples."""
        return self.directory / "data.parquet"

    @property
    def reference_cache(self) -> Path:
        """Where log-probabilities of reference models are kept: for all runs of a machine, or for this one alone."""
        shared = os.environ.get(REFERENCE_CACHE)
        return Path(shared) if shared else self.directory / "cache"

    @property
    def seconds(self) -> float:
        """Wall time spent on this run so far, resumed processes included."""
        return self.seconds_before + time.monotonic() - self.started_at

    def newest_checkpoint(self) -> Checkpoint | None:
        """The newest valid checkpoint; skipped ones are logged."""
        with self.team.leader_first():
            finish_removals(self.checkpoints)
            return newest_valid(self.checkpoints, report=self.events.log)

    def is_finished(self) -> bool:
        """Whether an earlier process completed this run. It may have died before it said so: it is announced again."""
        checkpoint = self.newest_checkpoint()
        if checkpoint is None:
            return False
        state = read_state(checkpoint.path)
        if state["is_final"]:
            self._announce(checkpoint, step=int(state["step"]), is_final=True)
        return bool(state["is_final"])

    def save(self, trainables: Trainables, *, step: int, is_final: bool = False) -> None:
        """Write, announce and retain, if this process leads. The final checkpoint leaves the optimiser out."""
        gathered = Gathered.of(trainables, is_final=is_final)
        self.saved_step = step
        if not self.team.is_leader:
            return
        checkpoint = write_checkpoint(
            self.checkpoints,
            step=step,
            write=lambda folder: self._write(folder, trainables, gathered, step=step, is_final=is_final),
        )
        config = self.spec.config
        self.freed += retain(self.checkpoints, num_newest=config.keep_checkpoints, best_by=config.best_by)
        self._announce(checkpoint, step=step, is_final=is_final)
        if is_final and self.freed:
            size = sum(self.freed) / 1e6
            self.events.log(f"{len(self.freed)} older checkpoints were removed, which freed {size:,.1f} MB.")

    def _announce(self, checkpoint: Checkpoint, *, step: int, is_final: bool) -> None:
        self.events.checkpoint(
            step=step,
            path=checkpoint.path.relative_to(self.directory).as_posix(),
            manifest_sha256=checkpoint.manifest_sha256,
            is_final=is_final,
        )

    def resume(self, trainables: Trainables) -> int:
        """Put the newest valid checkpoint's state into `trainables`; the number of steps done, 0 for a new run."""
        checkpoint = self.newest_checkpoint()
        if checkpoint is None:
            return 0
        trainer = checkpoint.path / "trainer"
        state = read_state(checkpoint.path)
        load_weights(trainables.model, checkpoint.path)
        for name, model in trainables.side_models.items():
            load_weights(model, trainer / name)
        for name, optimiser in trainables.optimisers.items():
            optimiser.restore(load_file(trainer / f"{name}.safetensors"))
        trainables.numbers.update(state["numbers"])
        restore_random_state(state, self.device)
        self.seconds_before, self.saved_step = state["seconds"], checkpoint.step
        self.events.log(f"Resumed from {checkpoint.path.name}.")
        return int(state["step"])

    def stop_if_asked(self, trainables: Trainables, *, step: int) -> None:
        """Save and raise `Stopped` if SIGTERM has come."""
        if self.team.does_any(self.is_stop_requested()):
            if step > 0 and step != self.saved_step:
                self.save(trainables, step=step)
            self.events.log(f"Stopped by request after step {step}.")
            raise Stopped

    def _write(self, folder: Path, trainables: Trainables, gathered: Gathered, *, step: int, is_final: bool) -> None:
        save_weights(trainables.model, folder, is_final=is_final, gathered=gathered.weights)
        trainables.tokenizer.save_pretrained(folder)
        trainer = folder / "trainer"
        trainer.mkdir()
        if not is_final:
            for name, model in trainables.side_models.items():
                save_weights(model, trainer / name, is_final=False)
            for name, tensors in gathered.optimisers.items():
                save_file(tensors, trainer / f"{name}.safetensors")
        state: dict[str, Any] = {
            "step": step,
            "is_final": is_final,
            "seconds": self.seconds,
            "numbers": trainables.numbers,
            "held_out": self.events.measured_at(step),
            **random_state(self.device),
            "algorithm": self.spec.algorithm,
            "config": config_fields(self.spec.config),
            "data_sha256": self.spec.data_sha256,
        }
        (trainer / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")


def read_state(folder: Path) -> dict[str, Any]:
    """The JSON state of a checkpoint's folder."""
    state: dict[str, Any] = json.loads((folder / "trainer" / "state.json").read_text(encoding="utf-8"))
    return state
