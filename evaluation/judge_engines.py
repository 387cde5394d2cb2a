"""Who answers for an evaluation's judge: one function, whatever has to be started for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from annotation.judge_calls import opened
from evaluation.models import EvaluationRun
from generation.engines.base import Engine


@contextmanager
def judge_engine(run: EvaluationRun) -> Iterator[Engine]:
    """The engine of the run's judge version, with a vLLM server of its own if the run wants one.

    Raises `JobFailed`, and what `generation.serving.managed_server` raises.
    """
    assert run.judge_version is not None  # noqa: S101 -- scripted judges ask no engine
    with opened(run.judge_version, server_for=run if run.uses_managed_server else None) as engine:
        yield engine
