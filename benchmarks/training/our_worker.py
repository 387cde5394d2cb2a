"""Our trainer on run directories, timed. A job: {"directory": …, "result": path}; see `forking.py`.

It is what `python -m training.algorithms.run` does behind its imports, so that both sides are timed warm.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from benchmarks.training.forking import Job, serve
from training.algorithms.execution import execute
from training.algorithms.tokenisation import ChatTokeniser
from training.algorithms.vllm_sampler import VllmSampler


def perform(job: Job) -> Job:
    """One run to its end. Everything from reading the order to the last step counts, reference included, but not the
    tokenisation: the peer's rows are tokenised already. Nor does the start of vLLM, which is told by itself."""
    directory = Path(job["directory"])
    tokenisation = Stopwatch()
    tree, prompt = ChatTokeniser.tree, ChatTokeniser.prompt
    ChatTokeniser.tree = tokenisation.around(tree)  # type: ignore[method-assign]
    ChatTokeniser.prompt = tokenisation.around(prompt)  # type: ignore[method-assign]
    vllm_start = Stopwatch()
    VllmSampler.renew = vllm_start.around(VllmSampler.renew)  # type: ignore[method-assign]
    started = time.time()
    code = execute(directory, is_stop_requested=lambda: False)
    if code:
        raise RuntimeError((directory / "failure.json").read_text())
    found = measured(directory, started, tokenisation.seconds + vllm_start.seconds)
    return {**found, "tokenisation_seconds": tokenisation.seconds, "vllm_start_seconds": vllm_start.seconds}


def measured(directory: Path, started: float, seconds_left_out: float) -> Job:
    """What the run's events tell. The first step's beginning is not an event: the steps' own time is estimated
    from the others, and what is left before it is set-up and reference."""
    lines = (directory / "events.jsonl").read_text().splitlines()
    steps = [event for event in map(json.loads, lines) if event["kind"] == "step"]
    times = [step["at"] for step in steps]
    return {
        "seconds": times[-1] - started - seconds_left_out,
        "seconds_to_first_step": times[0] - started - seconds_left_out,
        "num_steps": len(steps),
        "losses": [step["values"].get("loss") for step in steps],
        "grad_norms": [step["values"].get("grad_norm") for step in steps],
        "logs": [event["message"] for event in map(json.loads, lines) if event["kind"] == "log"],
    }


class Stopwatch:
    """Adds up the seconds of the functions that it is put around."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def around(self, function: Any) -> Any:
        """The function, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.time() - started

        return timed


if __name__ == "__main__":
    serve(perform)
