"""Watching a pipeline run from a terminal."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

from pipeline import services, summary
from pipeline.models import PipelineRun, PipelineStep

POLL_SECONDS = 0.5
CLEAR_LINE = "\r\x1b[2K"


def follow(run: PipelineRun, *, out: TextIO = sys.stdout, check: Callable[[], None] = lambda: None) -> PipelineRun:
    """Print each step as it ends, and the running one's progress in place; returns the ended run.

    `check` is called at every look and may raise, for instance when a worker has died.
    """
    printed: set[int] = set()
    while True:
        check()
        run.refresh_from_db()
        steps = list(run.steps.all())
        for step in steps:
            if step.pk not in printed and step.status in (PipelineStep.Status.FINISHED, PipelineStep.Status.FAILED):
                printed.add(step.pk)
                out.write(f"{CLEAR_LINE if out.isatty() else ''}{summary.step_line(step)}\n")
        if run.status != PipelineRun.Status.RUNNING:
            return run
        if out.isatty():
            _show_running(steps, out)
        out.flush()
        time.sleep(POLL_SECONDS)


def _show_running(steps: list[PipelineStep], out: TextIO) -> None:
    running = next((step for step in steps if step.status == PipelineStep.Status.RUNNING), None)
    if running is not None:
        out.write(CLEAR_LINE + summary.step_line(running, progress=progress_of(running)))


def progress_of(step: PipelineStep) -> float:
    """The mean progress of the step's jobs, from 0 to 1."""
    started = services.jobs_of(step)
    return sum(job.progress for job in started) / len(started) if started else 0.0
