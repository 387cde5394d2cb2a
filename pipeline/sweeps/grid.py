"""The grid of a sweep: which settings vary, over which values, and the points that come of it. Pure."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from core.errors import ConcordError
from training.algorithms.config import CONFIGS

Number = int | float
Grid = Mapping[str, Sequence[Number]]  # name → the values that it takes; nested ones as in fresh.num_layers

MAX_RUNS: Final = 64  # of one sweep
MAX_SEEDS: Final = 10  # runs of one point


class SweepRefused(ConcordError):
    """A sweep was asked for that makes no sense, or too many runs."""

    status = 422
    title = "This sweep cannot start"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One run of a sweep: the values of the swept settings, and its seed."""

    values: dict[str, Number]
    seed: int


def numeric_settings(algorithm: str) -> dict[str, Any]:
    """The settings of an algorithm that are numbers, with their defaults (None: none), in the order of its class."""
    return dict(_numbers_of(CONFIGS[algorithm], prefix=""))


def points_of(
    algorithm: str, grid: Grid, *, config: Mapping[str, Any], seed: int = 0, num_seeds: int = 1
) -> list[Point]:
    """Every combination of the values, the first setting varying slowest, each with `num_seeds` seeds from `seed` on.

    Raises `SweepRefused`, which names the setting.
    """
    if not grid:
        raise SweepRefused("Name at least one setting with the values that it shall take.")
    for name, values in grid.items():
        _check_setting(algorithm, name, values, config)
    if not 1 <= num_seeds <= MAX_SEEDS:
        raise SweepRefused(f"num_seeds must lie in 1–{MAX_SEEDS}, got {num_seeds}.")
    _check_number(grid, num_seeds)
    return [
        Point(values=dict(zip(grid, chosen, strict=True)), seed=seed + repeat)
        for chosen in itertools.product(*grid.values())
        for repeat in range(num_seeds)
    ]


def config_at(config: Mapping[str, Any], values: Mapping[str, Number]) -> dict[str, Any]:
    """The configuration with the point's values in it; `fresh.num_layers` goes into the object `fresh`."""
    placed = dict(config)
    for name, value in values.items():
        outer, _, inner = name.partition(".")
        placed[outer] = config_at(placed.get(outer) or {}, {inner: value}) if inner else value
    return placed


def setting_from(text: str) -> tuple[str, list[Number]]:
    """ "beta = 0.05, 0.1" as a name and its values. Raises `SweepRefused` naming what is no number."""
    name, equals, values = text.partition("=")
    if not equals or not name.strip():
        raise SweepRefused(f"Write a setting and its values, such as beta = 0.05, 0.1, 0.2; got {text.strip()!r}.")
    return name.strip(), [_number_from(name.strip(), value.strip()) for value in values.split(",")]


def grid_from(lines: Sequence[str]) -> dict[str, list[Number]]:
    """One setting a line. Raises `SweepRefused` also where a setting comes twice."""
    grid: dict[str, list[Number]] = {}
    for line in lines:
        name, values = setting_from(line)
        if name in grid:
            raise SweepRefused(f"{name} is there twice: write all its values in one place.")
        grid[name] = values
    return grid


def in_words(values: Mapping[str, Number]) -> str:
    """ "beta 0.1, learning_rate 1e-05" """
    return ", ".join(f"{name} {value:g}" for name, value in values.items())


def _number_from(name: str, text: str) -> Number:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise SweepRefused(f"{name}: {text!r} is no number. Separate the values by commas, as in 0.05, 0.1, 0.2.")


def _numbers_of(cls: type[Any], *, prefix: str) -> Iterator[tuple[str, Any]]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
        (kind,) = (option for option in options if option is not types.NoneType)
        if dataclasses.is_dataclass(kind):
            yield from _numbers_of(typing.cast(type[Any], kind), prefix=f"{prefix}{field.name}.")
        elif kind in (int, float):
            yield prefix + field.name, field.default


def _check_setting(algorithm: str, name: str, values: Sequence[Number], config: Mapping[str, Any]) -> None:
    known = numeric_settings(algorithm)
    if name not in known:
        closest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
        raise SweepRefused(f"{algorithm} has no numeric setting {name!r}; did you mean {closest}?")
    if not values:
        raise SweepRefused(f"{name} has no values: give at least one.")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SweepRefused(f"{name} must take numbers, got {value!r}.")
    if len(set(values)) < len(values):
        raise SweepRefused(f"{name} has a value twice; num_seeds repeats a point with other seeds.")
    if _is_set(config, name):
        raise SweepRefused(f"{name} is swept and set in the configuration too: leave it out of one of them.")


def _is_set(config: Mapping[str, Any], name: str) -> bool:
    outer, _, inner = name.partition(".")
    if not inner:
        return outer in config
    return isinstance(config.get(outer), Mapping) and _is_set(config[outer], inner)


def _check_number(grid: Grid, num_seeds: int) -> None:
    num_runs = num_seeds
    for values in grid.values():
        num_runs *= len(values)
    if num_runs < 2:
        raise SweepRefused("This is a single run: give a setting several values, or start a training run.")
    if num_runs > MAX_RUNS:
        factors = " × ".join(str(len(values)) for values in grid.values())
        seeds = f" × {num_seeds} seeds" if num_seeds > 1 else ""
        raise SweepRefused(
            f"{factors}{seeds} are {num_runs} runs, a sweep has {MAX_RUNS} at most: take fewer values, or begin with "
            "a coarse grid and refine it around the best."
        )
