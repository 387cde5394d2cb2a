"""Every oracle in turn, and the table that says how it went."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from training.algorithms.oracles import closed_form, resumed, trained
from training.algorithms.oracles.check import Check, Oracle

CLOSED_FORM: Final[tuple[Oracle, ...]] = (
    closed_form.two_actions,
    closed_form.first_losses,
    closed_form.bradley_terry_recovery,
    closed_form.advantages_three_ways,
    closed_form.kl_estimators,
    closed_form.regularised_bandit,
    closed_form.chunked_head,
)
TRAINED: Final[tuple[Oracle, ...]] = (
    trained.first_steps,
    trained.tabular_dpo,
    trained.bradley_terry_accuracy,
    resumed.resumed_runs,
)
HEADINGS: Final = ("check", "expected", "seen", "tolerance", "passed", "seconds")


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A check, and how long its oracle took until it was known."""

    check: Check
    seconds: float
    about: str = ""  # what the checks of its oracle say, with the first of them


def carried_out(oracles: Sequence[Oracle]) -> Iterator[Timed]:
    """All checks of all oracles, one after the other."""
    for oracle in oracles:
        started, about = time.perf_counter(), (oracle.__doc__ or "").strip().partition("\n")[0]
        for check in oracle():
            yield Timed(check=check, seconds=time.perf_counter() - started, about=about)
            started, about = time.perf_counter(), ""


def as_row(timed: Timed) -> tuple[str, ...]:
    """The cells of a check's line, in the order of `HEADINGS`."""
    check = timed.check
    numbers = [f"{number:.6g}" for number in (check.expected, check.seen, check.tolerance)]
    return check.name, *numbers, "yes" if check.has_passed else "NO", f"{timed.seconds:.2f}"


def line(cells: Sequence[str]) -> str:
    """One line of the table, in columns."""
    name, *rest = cells
    return f"{name:<58}" + "".join(f"{cell:>13}" for cell in rest)
