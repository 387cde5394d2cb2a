"""Writes to sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from django.db import transaction

from accounts.models import User, Workspace
from annotation.models import Dataset
from core import jobs
from core.errors import IllegalTransition
from core.models import Job
from generation.models import LanguageModel, PromptSet
from pipeline.models import SweptRun, TrainingSweep
from pipeline.sweeps.grid import Grid, Point, SweepRefused, config_at, in_words, points_of
from training import services as training
from training.models import TrainingRun
from training.services import MAX_SEED, TrainingRefused

MAX_NAME = 100  # characters; the names of its runs add a number


def start_sweep(
    *,
    workspace: Workspace,
    name: str,
    algorithm: str,
    grid: Grid,
    config: Mapping[str, Any],
    seed: int = 0,
    num_seeds: int = 1,
    dataset: Dataset | None = None,
    prompt_set: PromptSet | None = None,
    init_model: LanguageModel | None = None,
    reward_model: LanguageModel | None = None,
    user: User | None = None,
) -> TrainingSweep:
    """Queue one training run for each point of the grid, or none at all.

    Raises `SweepRefused` naming what is wrong with the grid, `TrainingRefused` naming the point that cannot be trained.
    """
    points = checked_points(algorithm=algorithm, grid=grid, config=config, seed=seed, num_seeds=num_seeds, name=name)
    inputs: dict[str, Any] = {"dataset": dataset, "prompt_set": prompt_set}
    inputs |= {"init_model": init_model, "reward_model": reward_model}
    if any(part is not None and part.workspace_id != workspace.pk for part in inputs.values()):
        raise TrainingRefused("The dataset, the prompt set and the models must belong to the sweep's workspace.")
    with transaction.atomic():
        sweep = TrainingSweep.objects.create(
            workspace=workspace,
            name=name,
            algorithm=algorithm,
            grid={setting: list(values) for setting, values in grid.items()},
            config=dict(config),
            seed=seed,
            num_seeds=num_seeds,
            created_by=user,
            **inputs,
        )
        for number, point in enumerate(points, start=1):
            run = _start_run(sweep, number, point, inputs, user)
            SweptRun.objects.create(sweep=sweep, number=number, run=run, values=point.values)
    return sweep


def checked_points(
    *, algorithm: str, grid: Grid, config: Mapping[str, Any], seed: int = 0, num_seeds: int = 1, name: str = "sweep"
) -> list[Point]:
    """The runs that a sweep would have.

    Raises `SweepRefused`, and `TrainingRefused` naming the first point whose settings do not fit.
    """
    if algorithm not in TrainingRun.Algorithm.values:
        raise SweepRefused(f"algorithm must be one of {', '.join(TrainingRun.Algorithm.values)}, got {algorithm!r}.")
    if not name.strip() or len(name) > MAX_NAME:
        raise SweepRefused(f"A sweep needs a name of 1–{MAX_NAME} characters.")
    points = points_of(algorithm, grid, config=config, seed=seed, num_seeds=num_seeds)
    if not 0 <= seed <= MAX_SEED - num_seeds:
        raise SweepRefused(f"seed must lie in 0–{MAX_SEED - num_seeds}, got {seed}.")
    for point in points:
        with _named(point):
            training.checked_config(algorithm, config_at(config, point.values))
    return points


def cancel_sweep(*, sweep: TrainingSweep) -> int:
    """Ask every run that has not ended to stop; how many were asked. Raises `IllegalTransition` if all have ended."""
    waiting = TrainingRun.objects.filter(swept__sweep=sweep, status__in=Job.UNENDED, is_cancel_requested=False)
    num_asked = 0
    for run in waiting.order_by("-swept__number"):  # the last first, so that no free device begins one of them
        with suppress(IllegalTransition):  # one that ends at this moment
            jobs.request_cancel(run)
            num_asked += 1
    if not num_asked and sweep.has_ended:
        raise IllegalTransition(f"All runs of {sweep} have ended; there is nothing to cancel.")
    return num_asked


def _start_run(
    sweep: TrainingSweep, number: int, point: Point, inputs: Mapping[str, Any], user: User | None
) -> TrainingRun:
    with _named(point):
        return training.start_training_run(
            workspace=sweep.workspace,
            name=f"{sweep.name} {number}",
            algorithm=sweep.algorithm,
            config=config_at(sweep.config, point.values),
            seed=point.seed,
            user=user,
            **inputs,
        )


@contextmanager
def _named(point: Point) -> Iterator[None]:
    """What is refused names the point."""
    try:
        yield
    except TrainingRefused as error:
        raise TrainingRefused(f"At {in_words(point.values)}: {error.detail}") from error
