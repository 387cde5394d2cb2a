"""How fast training is, beside TRL, on the same texts, tokens, weights, batch, threads and malloc.

    python -m benchmarks.training [--quick] [--only dpo,reward,…] [--model 5m|40m] [--dtype fp32|bf16] [--data FOLDER]

Wants `make bench-peers`. Each side is a warm process that forks for every run, so that imports cost nobody anything
and memory is a run's own. The model is a Llama with random weights and a byte-level BPE of the texts. FOLDER holds
`hh_rlhf/test.jsonl.gz` and `oasst_en_100/en_100_tree.jsonl` (default: the variable CONCORD_TEST_DATA); with `--quick`
the texts are made up, with lengths like hh-rlhf's, and a run takes a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.training.bench import CONTEXT_TOKENS, Bench, Metrics, Skipped
from benchmarks.training.dialogues import SIZES, Texts, build_model, make_texts, read_texts
from benchmarks.training.measures import MEASURES, rankings_by_size
from benchmarks.training.workers import MALLOC, PEER_PYTHONS, Worker, our_python, worker

DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


def main() -> None:
    """Measure and print one JSON line."""
    chosen = arguments()
    check_peers()
    texts = find_texts(chosen)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        model = build_model(folder / "model", SIZES[chosen.model], texts, context_tokens=CONTEXT_TOKENS)
        bench = Bench(
            folder=folder,
            model=folder / "model",
            texts=texts,
            ours=stack.enter_context(worker(our_python(), "our_worker", folder, threads=chosen.threads)),
            peer=peers(stack, folder, threads=chosen.threads),
            dtype=DTYPES[chosen.dtype],
            threads=chosen.threads,
            rounds=chosen.rounds or (1 if chosen.quick else 3),
            batch_size=chosen.batch_size,
            num_pairs=chosen.pairs or (8 if chosen.quick else 128),
            num_rankings=chosen.rankings or (3 if chosen.quick else 38),
            num_new_tokens=16 if chosen.quick else 64,
            num_rollouts=1 if chosen.quick else 2,
        )
        metrics, skipped = measure(bench, chosen.only.split(","))
    print(json.dumps(report(bench, chosen, model, metrics, skipped)))


def measure(bench: Bench, names: list[str]) -> tuple[Metrics, dict[str, str]]:
    """The metrics of all named measures, and why some were skipped."""
    metrics: Metrics = {}
    skipped: dict[str, str] = {}
    for name in names:
        try:
            found = MEASURES[name](bench)
        except Skipped as reason:
            skipped[name] = str(reason)
            print(f"{name} is skipped: {reason}", flush=True)
            continue
        for label, one in found.items():
            print(f"{label}: {one['value']} {one['unit']}; {one['peer']}: {one['peer_value']}; ratio {one['ratio']}")
        metrics |= found
    return metrics, skipped


def report(
    bench: Bench, chosen: argparse.Namespace, model: dict[str, Any], metrics: Metrics, skipped: dict[str, str]
) -> dict[str, Any]:
    """What was measured, how and where, as one JSON object."""
    return {
        "name": "training",
        "metrics": metrics,
        "settings": {
            "model": {"size": chosen.model, **model},
            "dtype": bench.dtype,
            "data": "made up" if is_made_up(chosen) else "hh-rlhf and Open-Assistant",
            "pairs": bench.num_pairs,
            "rankings": rankings_by_size(bench.texts.rankings[: bench.num_rankings]),
            "batch_size": bench.batch_size,
            "rollouts": bench.num_rollouts,
            "new_tokens": bench.num_new_tokens,
            "threads": bench.threads,
            "rounds": bench.rounds,
            "quick": chosen.quick,
            "skipped": skipped,
            "malloc": MALLOC,
        },
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
    }


def peers(stack: ExitStack, folder: Path, *, threads: int) -> Any:
    """A function that gives the worker of a module, and starts it when it is first asked for."""
    started: dict[str, Worker] = {}

    def peer(module: str) -> Worker:
        if module not in started:
            python = PEER_PYTHONS["trl_ppo" if module == "trl_ppo_worker" else "trl"]
            started[module] = stack.enter_context(worker(python, module, folder, threads=threads))
        return started[module]

    return peer


def check_peers() -> None:
    """End with an explanation where TRL's environments are missing."""
    for python in PEER_PYTHONS.values():
        if not python.exists():
            raise SystemExit(f"{python} is missing: `make bench-peers` makes the environments of the peers.")


def is_made_up(chosen: argparse.Namespace) -> bool:
    """Whether the texts come from a generator."""
    return bool(chosen.quick and chosen.data is None)


def find_texts(chosen: argparse.Namespace) -> Texts:
    """The real texts, or made-up ones; ends with an explanation where the real ones are wanted and missing."""
    if is_made_up(chosen):
        return make_texts(num_pairs=256, num_rankings=8)
    folder = chosen.data or os.environ.get("CONCORD_TEST_DATA")
    if folder is None:
        raise SystemExit("Name the folder of real data with --data or CONCORD_TEST_DATA, or measure with --quick.")
    try:
        return read_texts(Path(folder))
    except FileNotFoundError as error:
        raise SystemExit(f"{error.filename} is missing; --quick makes texts up instead.") from error


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few made-up dialogues, one round")
    parser.add_argument("--only", default=",".join(MEASURES), help="measures, separated by commas")
    parser.add_argument("--model", choices=SIZES, default="5m")
    parser.add_argument("--dtype", choices=DTYPES, default="fp32")
    parser.add_argument("--data", type=Path, default=None, help="the folder of real data")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--pairs", type=int, default=None)
    parser.add_argument("--rankings", type=int, default=None)
    parser.add_argument("--batch-size", type=int, default=8, help="pairs an optimiser step")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    unknown = set(chosen.only.split(",")) - set(MEASURES)
    if unknown:
        parser.error(f"--only knows {', '.join(MEASURES)}, not {', '.join(sorted(unknown))}.")
    return chosen


if __name__ == "__main__":
    main()
