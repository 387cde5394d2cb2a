"""TRL in its own environment (`make bench-peers`), doing the same steps as our trainers on a tiny model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from annotation.pair_lines import PreferencePair
from benchmarks.training.orders import PeerRows
from benchmarks.training.workers import PEER_PYTHONS, Worker, worker
from tests.training.algorithms import builders
from training.algorithms.config import LoRAConfig
from training.algorithms.models import load_language_model, reward_model_from, with_adapter
from training.algorithms.weights import save_weights

LENGTHS = {"max_prompt_tokens": 40, "max_completion_tokens": 16}
NUM_STEPS = 4
LORA: dict[str, Any] = {"rank": 4, "alpha": 8}
LOSS_TOLERANCE, NORM_TOLERANCE = 1e-5, 1e-3


def pair(prompt: str, chosen: str, rejected: str) -> PreferencePair:
    """A pair of replies to one question."""
    return PreferencePair(messages=builders.ask(prompt), chosen=chosen, rejected=rejected)


# Two shapes of batches: lengths far apart, and more pairs than our trainer takes into one micro-batch.
UNEVEN = [
    pair("a", "b", "gnu hen owl elk fox"),
    pair("Say bee and then fox and then owl.", "bee fox owl", "c"),
    pair("Say cat.", "cat", "cat dog cat"),
]
MANY = [pair(f"Say {word} {number}.", word, f"{word} {word}") for number, word in enumerate(builders.WORDS)]
SHAPES = {"uneven": UNEVEN, "many": MANY}


@dataclass(frozen=True)
class Steps:
    """Loss and gradient norm of each step."""

    losses: list[float]
    grad_norms: list[float]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where both sides train the same tiny model."""

    folder: Path
    model: str
    peer: Worker

    def rows(self, **lengths: int) -> PeerRows:
        """What turns pairs into TRL's rows."""
        return PeerRows(Path(self.model), **{**LENGTHS, **lengths})

    def ours(self, algorithm: str, data: Sequence[dict[str, Any]], **config: Any) -> Steps:
        """Our steps: all rows in each, in micro-batches."""
        fixed = {
            **LENGTHS,
            "batch_size": len(data),
            "num_epochs": NUM_STEPS,
            "learning_rate": 0.01,
            "final_learning_rate": 1.0,
            "weight_decay": 0.0,
            "micro_batch_tokens": 150,
        }
        directory = self.folder / f"run-{len(list(self.folder.iterdir()))}"
        builders.order(directory, algorithm, {**fixed, **config}, data=data, init_model=self.model)
        assert builders.carry_out(directory) == 0, builders.failure(directory)
        values = [event["values"] for event in builders.events(directory, "step")]
        return Steps([one["loss"] for one in values], [one["grad_norm"] for one in values])

    @property
    def start(self) -> Path:
        """Where the adapter lies that both sides start from."""
        return self.folder / "start"

    def adapter(self, algorithm: str) -> str:
        """The folder of the adapter that our trainer starts from with `LORA`."""
        start: dict[str, Any] = {"config": LoRAConfig(**LORA), "base": self.model, "seed": 0}
        if algorithm == "reward":
            save_weights(with_adapter(reward_model_from(self.model, pad_id=0), **start), self.start, is_final=False)
        else:
            save_weights(with_adapter(load_language_model(self.model), **start), self.start, is_final=False)
        return str(self.start / "adapter")

    def trl(
        self, trainer: str, rows: Sequence[dict[str, Any]], adapter: str | None = None, /, **settings: Any
    ) -> Steps:
        """TRL's steps: all rows in each, at once."""
        path = self.folder / f"rows-{len(list(self.folder.iterdir()))}.json"
        path.write_text(json.dumps(list(rows)))
        fixed = {
            "per_device_train_batch_size": len(rows),
            "num_train_epochs": NUM_STEPS,
            "learning_rate": 0.01,
            "lr_scheduler_type": "constant",
            "adam_beta2": 0.99,
            "logging_steps": 1,
            "gradient_checkpointing": False,
            "bf16": False,
        }
        found = self.peer.do(
            trainer=trainer,
            model=self.model,
            adapter=adapter,
            rows=str(path),
            dtype="float32",
            settings={**fixed, **settings},
        )
        return Steps(found["losses"], found["grad_norms"])


def assert_same(ours: Steps, theirs: Steps) -> None:
    """Every step's loss within 1e-5 and its gradient's norm within 1e-3; and the losses do move."""
    assert len(ours.losses) == len(theirs.losses) == NUM_STEPS
    assert ours.losses == pytest.approx(theirs.losses, abs=LOSS_TOLERANCE, rel=0)
    assert ours.grad_norms == pytest.approx(theirs.grad_norms, abs=NORM_TOLERANCE, rel=0)
    assert abs(ours.losses[-1] - ours.losses[0]) > 100 * LOSS_TOLERANCE


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """TRL's process; it imports TRL once."""
    python = PEER_PYTHONS["trl"]
    if not python.exists():
        pytest.skip(f"TRL is not at {python.parent.parent}: `make bench-peers` installs it")
    with worker(python, "trl_worker", tmp_path_factory.mktemp("peer"), threads=1) as started:
        yield started


@pytest.fixture
def bench(tmp_path: Path, peer: Worker) -> Bench:
    """Both sides, with a tiny model between them."""
    return Bench(folder=tmp_path, model=builders.saved_model(tmp_path / "model"), peer=peer)
