"""The two sides, their turns, and how what they measured becomes metrics.

Both sides take turns in every round, each starting every other one; values and ratios are medians over the rounds, a
ratio being one round's, because a machine's speed changes more between rounds than within one. Our time is
everything between the order and its last step (reading, loading the model, the reference), except tokenisation; TRL's
is its training loop and its reference alone.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.training.dialogues import Texts
from benchmarks.training.orders import PeerRows, Rows, write_order
from benchmarks.training.workers import Worker
from training.algorithms.config import CONFIGS

TRL: Final = "TRL 1.16"
LENGTHS: Final = {"max_prompt_tokens": 512, "max_completion_tokens": 512}
CONTEXT_TOKENS: Final = 1024

Metrics = dict[str, dict[str, Any]]
Side = Callable[[], dict[str, Any]]


class Skipped(Exception):
    """A measure that cannot be taken here; the message says why."""


@dataclass(kw_only=True)
class Bench:
    """Everything that a measure needs."""

    folder: Path
    model: Path
    texts: Texts
    ours: Worker
    peer: Callable[[str], Worker]  # the worker of a module, started when first wanted
    dtype: str  # float32 or bfloat16
    threads: int
    rounds: int
    batch_size: int
    num_pairs: int
    num_rankings: int
    num_new_tokens: int  # of a reply in PPO
    num_rollouts: int
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def rows(self) -> PeerRows:
        """What turns texts into TRL's rows."""
        return PeerRows(self.model, **LENGTHS)

    def run(
        self, algorithm: str, rows: Rows, config: dict[str, Any], *, reward_model: Path | None = None
    ) -> dict[str, Any]:
        """One run of our trainer."""
        if algorithm not in CONFIGS:
            raise Skipped(f"our trainer has no algorithm {algorithm}")
        directory = write_order(
            self.folder / f"run-{next(self.numbers)}",
            algorithm=algorithm,
            config={**LENGTHS, "batch_size": self.batch_size, **self.precision(algorithm), **config},
            rows=rows,
            model=self.model,
            reward_model=reward_model,
            threads=self.threads,
        )
        return self.ours.do(directory=str(directory))

    def precision(self, algorithm: str) -> dict[str, Any]:
        """Our configuration's way of saying the precision, if it is not the usual one."""
        if self.dtype == "float32":
            return {}
        if "dtype" not in {one.name for one in dataclasses.fields(CONFIGS[algorithm])}:
            raise Skipped(f"our trainer knows no {self.dtype}")
        return {"dtype": self.dtype}

    def run_peer(
        self,
        trainer: str,
        rows: Rows,
        settings: dict[str, Any],
        *,
        module: str = "trl_worker",
        adapter: Path | None = None,
    ) -> dict[str, Any]:
        """One run of TRL's trainer, on all weights or on the adapter in a folder."""
        path = self.folder / f"rows-{next(self.numbers)}.json"
        path.write_text(json.dumps(rows))
        fixed = {"bf16": self.dtype == "bfloat16", "per_device_train_batch_size": self.batch_size}
        return self.peer(module).do(
            trainer=trainer,
            model=str(self.model),
            adapter=adapter and str(adapter),
            rows=str(path),
            dtype=self.dtype,
            settings={**fixed, **settings},
        )


def take_turns(sides: dict[str, Side], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """What every side measured in every round."""
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides) if number % 2 == 0 else list(sides)[::-1]:
            measured[name].append(sides[name]())
            print(number, name, round(seconds_of(measured[name][-1]), 2), "s", flush=True)
    return measured


def seconds_of(measured: dict[str, Any]) -> float:
    """Wall time that counts."""
    if "seconds" in measured:
        return float(measured["seconds"])
    return float(measured["train_seconds"] + measured["reference_seconds"])


def speed(name: str, unit: str, amount: int, measured: dict[str, list[dict[str, Any]]]) -> Metrics:
    """Amount per second and peak memory of our side beside each of the others."""
    ours = statistics.median(amount / seconds_of(one) for one in measured["ours"])
    metrics: Metrics = {}
    for peer, runs in measured.items():
        if peer == "ours":
            continue
        theirs = statistics.median(amount / seconds_of(one) for one in runs)
        turns = zip(measured["ours"], runs, strict=True)
        ratio = statistics.median(seconds_of(other) / seconds_of(mine) for mine, other in turns)
        label = f"{name}_{unit}_per_second" + ("" if "default" in peer else "_at_best")
        metrics[label] = metric(ours, f"{unit}/s", peer, theirs, ratio)
        metrics |= memory(label.replace(f"{unit}_per_second", "peak_memory"), peer, measured["ours"], runs)
    return metrics


def memory(label: str, peer: str, ours: Sequence[dict[str, Any]], theirs: Sequence[dict[str, Any]]) -> Metrics:
    """Peak resident memory, whole and beyond what the imports take."""
    found: Metrics = {}
    for suffix, without in (("", False), ("_beyond_imports", True)):
        mine, other = (
            statistics.median((one["peak_bytes"] - without * one["bytes_before"]) / 2**20 for one in runs)
            for runs in (ours, theirs)
        )
        found[label + suffix] = metric(mine, "MiB", peer, other, other / mine)
    return found


def metric(value: float, unit: str, peer: str | None, peer_value: float | None, ratio: float | None) -> dict[str, Any]:
    """One measurement."""
    return {
        "value": rounded(value),
        "unit": unit,
        "peer": peer,
        "peer_value": rounded(peer_value),
        "ratio": rounded(ratio),
    }


def rounded(value: float | None) -> float | None:
    """Four digits that count."""
    return None if value is None else float(f"{value:.4g}")


def difference(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Metrics:
    """The largest difference of losses and of gradient norms over the steps that both took on the same batches."""
    found: Metrics = {}
    for kind, key in (("loss", "losses"), ("gradient_norm", "grad_norms")):
        pairs = list(zip(ours[key], theirs[key], strict=True))
        gap = max(abs(mine - other) for mine, other in pairs)
        found[f"{name}_{kind}_difference"] = metric(gap, f"largest of {len(pairs)} steps", TRL, None, None)
    return found
