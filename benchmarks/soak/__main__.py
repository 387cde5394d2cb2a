"""Runs killed at random moments end with the weights of a run that nobody disturbed, bit by bit.

    python -m benchmarks.soak [--quick] [--algorithms dpo ppo] [--kills 20] [--seed 0] [--through process|worker]

A small model is trained twice by each algorithm: once left alone, once killed with SIGKILL while it starts, in the
middle of a step and in the middle of writing a checkpoint, and started again each time. Every file of the final
checkpoint and every number of every step are compared. With `--through worker` the runs are jobs of a real
installation: PostgreSQL, a Celery worker and beat; training processes are killed, and every few kills the worker.
Prints one JSON line; the exit code is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.soak.kills import Tally, kill_often, run_to_end, saved_steps
from benchmarks.soak.runs import curve, final_files, make_run, save_models

ALGORITHMS: Final = ("sft", "reward", "dpo", "kto", "orpo", "simpo", "ppo")
STEPS_PER_KILL: Final = 8  # more than a process gets done before its kill, so that the run outlives them all
Metrics = dict[str, dict[str, Any]]


def main() -> int:
    """Disturb the runs, print one JSON line; 1 if one ended otherwise than its undisturbed twin."""
    arguments = parse()
    metrics: Metrics = {}
    with tempfile.TemporaryDirectory(prefix="concord-soak-") as folder:
        save_models(Path(folder))
        for algorithm in arguments.algorithms:
            if arguments.through == "worker":
                from benchmarks.soak.worker import soak_worker  # Django

                tally, whole, killed = soak_worker(Path(folder), algorithm, arguments.kills, arguments.seed)
            else:
                tally, whole, killed = soak_process(Path(folder), algorithm, arguments.kills, arguments.seed)
            metrics |= measured(algorithm, tally, whole, killed)
            print(f"{algorithm}: {json.dumps(metrics)}", file=sys.stderr)
    settings = {name: value for name, value in vars(arguments).items() if name != "quick"}
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"name": "soak", "metrics": metrics, "settings": settings, "machine": machine}))
    return int(any(not metric["value"] for name, metric in metrics.items() if name.endswith("_equal")))


def parse() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three kills of one algorithm")
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, default=["dpo", "ppo"])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--through", choices=("process", "worker"), default="process")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.algorithms, arguments.kills = ["dpo"], 3
    return arguments


def soak_process(folder: Path, algorithm: str, num_kills: int, seed: int) -> tuple[Tally, Path, Path]:
    """Two runs of an algorithm, one of them killed `num_kills` times: what was done, and their directories."""
    num_steps = STEPS_PER_KILL * num_kills
    whole, killed = (
        make_run(folder / f"{algorithm}-{name}", algorithm, folder, num_steps=num_steps) for name in ("whole", "killed")
    )
    run_to_end(whole)
    tally = Tally()
    kill_often(killed, num_kills=num_kills, rng=random.Random(seed), tally=tally)
    run_to_end(killed)
    return tally, whole, killed


def measured(algorithm: str, tally: Tally, whole: Path, killed: Path) -> Metrics:
    """The tally and the two comparisons as metrics."""
    values: dict[str, tuple[float | bool, str]] = {
        "kills": (tally.num_kills, "kills"),
        "kills_while_starting": (tally.kills["start"], "kills"),
        "kills_of_workers": (tally.kills["worker"], "kills"),
        "kills_in_a_save": (tally.num_hit_saves, "half-written checkpoints left"),
        "torn_events": (tally.num_torn_lines, "half lines left"),
        "resumes": (len(saved_steps(killed)), "processes that went on from a checkpoint"),
        "steps": (len(curve(killed)), "steps"),
        "final_checkpoint_equal": (final_files(killed) == final_files(whole), "every file, bit by bit"),
        "curve_equal": (curve(killed) == curve(whole), "every number of every step"),
    }
    none = {"peer": None, "peer_value": None, "ratio": None}
    return {f"{algorithm}_{name}": {"value": value, "unit": unit, **none} for name, (value, unit) in values.items()}


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    sys.exit(code)
