"""Who answers for an evaluation's judge: one function, whatever has to be started for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from annotation.judge_calls import opened
from evaluation.models import EvaluationRun
from generation.engines.base import Engine


@contextmanager
def judge_engine(run: EvaluationRun) -> Iterator[Engine]:
    """The engine of the run's judge version, for as long as the run needs it. Raises `JobFailed`."""
    assert run.judge_version is not None  # noqa: S101 -- scripted judges ask no engine
    with opened(run.judge_version) as engine:
        yield engine
