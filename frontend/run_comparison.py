"""What training runs have in common and what they differ in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from training.algorithms.settings import flat
from training.models import Metric, TrainingRun

FACTS: dict[str, Callable[[TrainingRun], Any]] = {
    "algorithm": lambda run: run.get_algorithm_display(),
    "status": lambda run: run.get_status_display(),
    "data": lambda run: run.dataset or run.prompt_set,
    "starts from": lambda run: run.init_model or "fresh weights",
    "reward model": lambda run: run.reward_model,
    "held-out judge": lambda run: run.held_out_reward_model,
    "seed": lambda run: run.seed,
    "steps": lambda run: run.num_done,
    "seconds": lambda run: run.seconds,
}


@dataclass(frozen=True, kw_only=True)
class ComparedRow:
    """One property and its value in each run."""

    name: str
    values: list[Any]

    @property
    def differs(self) -> bool:
        return any(value != self.values[0] for value in self.values)


def comparison(runs: Sequence[TrainingRun]) -> dict[str, list[ComparedRow]]:
    """`facts`, `measured` (the last evaluation of each), settings that differ (`differing`) or do not (`shared`)."""
    settings = _rows([flat(run.config) for run in runs])
    facts = [{name: read(run) for name, read in FACTS.items()} for run in runs]
    return {
        "facts": [row for row in _rows(facts) if any(value is not None for value in row.values)],
        "measured": _rows([last_evaluation(run) for run in runs]),
        "differing": [row for row in settings if row.differs],
        "shared": [row for row in settings if not row.differs],
    }


def last_evaluation(run: TrainingRun) -> dict[str, Any]:
    """The numbers of the newest evaluation on held-out rows, with its step."""
    last = run.metrics.filter(kind=Metric.Kind.EVALUATION).order_by("-step").first()
    return {"after step": last.step, **last.values} if last else {}


def _rows(columns: Sequence[dict[str, Any]]) -> list[ComparedRow]:
    return [ComparedRow(name=name, values=[column.get(name) for column in columns]) for name in _names(columns)]


def _names(columns: Iterable[dict[str, Any]]) -> list[str]:
    """Every name once, in the order in which they first come."""
    return list(dict.fromkeys(name for column in columns for name in column))
