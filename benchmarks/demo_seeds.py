"""How often the demonstration's claim holds: DPO and PPO beat the SFT model on held-out prompts.

    python -m benchmarks.demo_seeds [--quick] [--seeds 0 1 2] [--folder DIR]

Runs the demonstration's pure pieces for each seed, with its own settings and without Django: starter prompts, SFT,
candidates, two rubric judges, reward model, DPO, PPO (each a process of its own), and the comparison on held-out
prompts. `--quick` runs everything once in miniature, which shows that it works and nothing else.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from annotation.judging import rubric
from annotation.question import pairwise, ranking
from evaluation import metrics
from generation import starter
from generation.engines.base import SamplingParameters
from generation.engines.transformers_engine import TransformersEngine
from generation.near_duplicates import mark_near_duplicates
from generation.splits import fingerprint, split_of
from generation.starter import StarterPrompt
from generation.starter.demonstrations import demonstrate
from training.algorithms import presets
from training.algorithms.config import Config, config_fields
from training.algorithms.presets import StarterSizes

POLICIES = ("dpo", "ppo")
QUICK_STEPS = {"sft": 30, "reward": 10, "dpo": 10, "ppo": 2}
QUICK_SIZES = {
    "num_demonstrations": 500,
    "num_prompts": 400,
    "num_candidate_prompts": 80,
    "num_eval_prompts": 60,
    "num_rankings": 10,
}
PAIRWISE = pairwise()


@dataclass
class SeedRun:
    """One seed's run: where it writes, and what it measured."""

    seed: int
    folder: Path
    sizes: StarterSizes
    quick: bool
    seconds: dict[str, float] = field(default_factory=dict)  # wall time of each stage
    numbers: dict[str, float] = field(default_factory=dict)
    prompts: list[StarterPrompt] = field(default_factory=list)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the wall time of a stage."""
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started

    def split(self, prompt: StarterPrompt) -> str:
        """train or held_out, by the prompt's own fingerprint."""
        return split_of(fingerprint(prompt.messages), self.sizes.held_out_fraction)

    def train(self, algorithm: str, config: Config, rows: Sequence[dict[str, Any]], **models: str | None) -> str:
        """A training run as a process of its own; the folder of its final checkpoint."""
        directory = self.folder / algorithm
        directory.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(list(rows)), directory / "data.parquet")
        fields = config_fields(config)
        if self.quick:
            fields["max_steps"] = QUICK_STEPS[algorithm]
        spec = {
            "version": 1,
            "algorithm": algorithm,
            "seed": self.seed,
            "config": fields,
            "init_model": models.get("init_model"),
            "reward_model": models.get("reward_model"),
            "data_sha256": hashlib.sha256((directory / "data.parquet").read_bytes()).hexdigest(),
            "num_threads": os.cpu_count() or 1,
        }
        (directory / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        with self.timed(algorithm):
            subprocess.run([sys.executable, "-m", "training.algorithms.run", str(directory)], check=True)
        return str(directory / self.note_events(algorithm, directory / "events.jsonl"))

    def note_events(self, algorithm: str, path: Path) -> str:
        """Keep the last measurements of a run; the path of its final checkpoint."""
        events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        measured = [event for event in events if event["kind"] in ("step", "evaluation")]
        for event in measured:
            self.numbers |= {f"{algorithm}_{name}": value for name, value in event["values"].items()}
        self.numbers[f"{algorithm}_steps"] = measured[-1]["step"]
        (checkpoint,) = (event["path"] for event in events if event["kind"] == "checkpoint" and event["is_final"])
        return str(checkpoint)


def run_seed(run: SeedRun) -> None:
    """The whole demonstration for one seed."""
    prompts = starter.generate(num_prompts=run.sizes.num_demonstrations + run.sizes.num_prompts, seed=run.seed)
    demonstrated, run.prompts = prompts[: run.sizes.num_demonstrations], prompts[run.sizes.num_demonstrations :]
    sft = run.train("sft", presets.starter_sft(), demonstration_rows(run, demonstrated))
    pairs = judged_pairs(run, sft)
    run.numbers["num_pairs"] = len(pairs)
    reward = run.train("reward", presets.starter_reward(), pairs, init_model=sft)
    dpo = run.train("dpo", presets.starter_dpo(), pairs, init_model=sft)
    ppo = run.train("ppo", presets.starter_ppo(), prompt_rows(run, run.prompts), init_model=sft, reward_model=reward)
    compare(run, {"sft": sft, "dpo": dpo, "ppo": ppo})


def demonstration_rows(run: SeedRun, prompts: Sequence[StarterPrompt]) -> list[dict[str, Any]]:
    """Every prompt with a demonstration."""
    replies = demonstrate(prompts, careless_share=run.sizes.careless_share, seed=run.seed)
    return [{**row, "completion": reply} for row, reply in zip(prompt_rows(run, prompts), replies, strict=True)]


def prompt_rows(run: SeedRun, prompts: Sequence[StarterPrompt]) -> list[dict[str, Any]]:
    """Every prompt with its split."""
    return [{"prompt": json.dumps(prompt.messages), "split": run.split(prompt)} for prompt in prompts]


def sample(
    run: SeedRun, model: str, prompts: Sequence[StarterPrompt], *, num_completions: int, temperature: float
) -> list[list[str]]:
    """Completions of each prompt, in order."""
    engine = TransformersEngine.load(model)
    parameters = SamplingParameters(temperature=temperature, max_new_tokens=run.sizes.max_new_tokens, seed=run.seed)
    texts: list[list[str]] = [[] for _ in prompts]
    conversations = [prompt.messages for prompt in prompts]
    for index, samples in engine.sample(conversations, num_completions=num_completions, parameters=parameters):
        texts[index] = [item.text for item in samples]
    return texts


def judged_pairs(run: SeedRun, model: str) -> list[dict[str, Any]]:
    """Candidates of the SFT model, compared by both judges in pairs and rankings; a row for each pair with a winner."""
    sizes, rng = run.sizes, random.Random(run.seed)
    prompts = rng.sample(run.prompts, sizes.num_candidate_prompts)
    with run.timed("candidates"):
        candidates = sample(run, model, prompts, num_completions=sizes.num_completions, temperature=sizes.temperature)
    with run.timed("judging"):
        judge = rubric.strict()
        run.numbers["candidates_exact"] = float(
            np.mean([judge.score(p.reference, t) for p, texts in zip(prompts, candidates, strict=True) for t in texts])
        )
        return [row for votes in count_votes(run, prompts, candidates, rng) for row in pair_rows(run, *votes)]


Votes = dict[tuple[str, str], Counter[str]]  # two texts in order → how often each was preferred


def count_votes(
    run: SeedRun, prompts: Sequence[StarterPrompt], candidates: Sequence[list[str]], rng: random.Random
) -> Iterator[tuple[StarterPrompt, Votes]]:
    """What both judges say about the pairs and the rankings of each prompt that has some."""
    sizes, asked_ranking = run.sizes, ranking(run.sizes.num_completions)
    comparisons: list[tuple[int, tuple[str, ...]]] = []
    rankings: list[tuple[int, tuple[str, ...]]] = []
    for number, texts in enumerate(candidates):
        marks = mark_near_duplicates(texts)
        distinct = [text for text, mark in zip(texts, marks, strict=True) if mark is None]
        possible = list(itertools.combinations(distinct, 2))
        comparisons += [(number, pair) for pair in rng.sample(possible, min(len(possible), sizes.max_pairs_per_prompt))]
        rankings += [(number, tuple(distinct))] if len(distinct) == sizes.num_completions else []
    rng.shuffle(comparisons)
    rng.shuffle(rankings)
    votes: dict[int, Votes] = {}
    for judge in (rubric.strict(), rubric.lenient()):
        for number, compared in [*comparisons[: sizes.num_pairs], *rankings[: sizes.num_rankings]]:
            question = PAIRWISE if len(compared) == 2 else asked_ranking
            tiers = judge.judge(prompts[number].reference, compared, question)
            for better, worse in itertools.combinations(tiers, 2):
                for winner, loser in itertools.product(better, worse):
                    first, second = sorted((compared[winner], compared[loser]))
                    votes.setdefault(number, {}).setdefault((first, second), Counter())[compared[winner]] += 1
    return ((prompts[number], said) for number, said in votes.items())


def pair_rows(run: SeedRun, prompt: StarterPrompt, votes: Votes) -> Iterator[dict[str, Any]]:
    """A row for each pair with more votes on one side, as the frozen dataset has it."""
    for (first, second), tally in votes.items():
        winner, loser = (first, second) if tally[first] > tally[second] else (second, first)
        if tally[first] != tally[second] and winner.strip():
            yield {
                "prompt": json.dumps(prompt.messages),
                "chosen": winner,
                "rejected": loser,
                "weight": 1.0,
                "split": run.split(prompt),
                "group_id": fingerprint(prompt.messages),
            }


def compare(run: SeedRun, models: dict[str, str]) -> None:
    """Exactly right replies of every policy, and win rates against SFT with their intervals."""
    sizes = run.sizes
    prompts = [p for p in run.prompts if run.split(p) == "held_out"][: sizes.num_eval_prompts]
    with run.timed("held_out"):
        replies = {
            name: sample(
                run, model, prompts, num_completions=sizes.num_eval_completions, temperature=sizes.eval_temperature
            )
            for name, model in models.items()
        }
    exact = rubric.strict()
    for name, texts in replies.items():
        scores = [exact.score(p.reference, t) for p, own in zip(prompts, texts, strict=True) for t in own]
        run.numbers[f"{name}_exact"] = float(np.mean(scores))
    for judge, strictness in ((rubric.strict(), "strict"), (rubric.lenient(), "lenient")):
        for name in POLICIES:
            outcomes, groups = [], []
            for prompt, ours, theirs in zip(prompts, replies[name], replies["sft"], strict=True):
                for left, right in zip(ours, theirs, strict=True):
                    tiers = judge.judge(prompt.reference, [left, right], PAIRWISE)
                    outcomes.append(metrics.TIE if len(tiers) == 1 else float(tiers[0] == [0]))
                    groups.append(prompt.messages[0]["content"])
            note_score(run, f"{name}_win_rate_{strictness}", metrics.win_rate(outcomes, groups, seed=run.seed))


def note_score(run: SeedRun, name: str, score: metrics.Score) -> None:
    """A win rate with its 95 % interval, resampled by prompt."""
    assert score.value is not None
    assert score.interval is not None
    low, high = score.interval
    run.numbers |= {name: score.value, f"{name}_low": low, f"{name}_high": high}


def summary(runs: Sequence[SeedRun]) -> dict[str, dict[str, Any]]:
    """How many seeds keep the claim, and medians of everything measured."""
    table: dict[str, dict[str, Any]] = {}
    for name, strictness in itertools.product(POLICIES, ("strict", "lenient")):
        kept = sum(run.numbers[f"{name}_win_rate_{strictness}_low"] > 0.5 for run in runs)
        table[f"{name}_seeds_above_half_{strictness}"] = metric(kept, f"of {len(runs)} seeds")
    for name in runs[0].numbers:
        table[name] = metric(float(np.median([run.numbers.get(name, np.nan) for run in runs])), "")
    for stage in runs[0].seconds:
        table[f"{stage}_seconds"] = metric(float(np.median([run.seconds[stage] for run in runs])), "s")
    table["seconds"] = metric(float(np.median([sum(run.seconds.values()) for run in runs])), "s")
    return table


def metric(value: float, unit: str) -> dict[str, Any]:
    """A measurement that no other project offers a peer for."""
    return {"value": value, "unit": unit, "peer": None, "peer_value": None, "ratio": None}


def main() -> None:
    """Run the seeds one after another and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, help="keeps the runs there")
    arguments = parser.parse_args()
    sizes = replace(StarterSizes(), **QUICK_SIZES) if arguments.quick else StarterSizes()
    runs: list[SeedRun] = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in arguments.seeds[:1] if arguments.quick else arguments.seeds:
            folder = (arguments.folder or Path(scratch)) / f"seed-{seed}"
            runs.append(SeedRun(seed=seed, folder=folder, sizes=sizes, quick=arguments.quick))
            run_seed(runs[-1])
            print(json.dumps({"seed": seed, "seconds": runs[-1].seconds, **runs[-1].numbers}), flush=True)
    settings = {"sizes": asdict(sizes), "seeds": [run.seed for run in runs]}
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"name": "demo_seeds", "metrics": summary(runs), "settings": settings, "machine": machine}))


if __name__ == "__main__":
    main()
