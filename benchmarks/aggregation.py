"""How long aggregations take over a million judgments, beside crowd-kit and choix where these are installed.

    python -m benchmarks.aggregation [--quick] [--judgments N] [--rounds N]

200,000 comparisons of two completions, five judgments each, by 200 annotators of different skill and left bias; four
completions, and thus six pairs, a prompt. Each method is timed from columns in memory to a consensus of every
comparison. The bare fits of Dawid–Skene and of annotators' skill are timed beside crowd-kit's on the same votes,
Bradley–Terry beside choix's on as many votes about 1,000 items of one group. `--quick` takes a twentieth. The peers are
timed once, ours the median of some rounds; crowd-kit is no dependency of this project, so that its fields are null
unless it was installed by hand.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import choix
import numpy as np
import pandas as pd

from annotation.aggregation import METHODS, Judgments, aggregate
from annotation.aggregation.annotator_skill import SkilledVotes, fit_annotator_skill
from annotation.aggregation.bradley_terry import PairCounts, fit_utilities
from annotation.aggregation.dawid_skene import fit_dawid_skene
from annotation.aggregation.judgments import PairVotes, count_pair_votes, number_comparisons
from annotation.aggregation.prompt_blocks import place_prompts, place_votes

OVERLAP = 5
NUM_ANNOTATORS = 200
NUM_ITEMS = 1000
PAIRS = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def make_judgments(num_judgments: int, *, seed: int = 0) -> Judgments:
    """By the model of skill and left bias; agreement of two annotators is about 73 %, without ties."""
    rng = np.random.default_rng(seed)
    num_comparisons = num_judgments // OVERLAP
    utilities = rng.normal(0, 1.8, (num_comparisons // len(PAIRS) + 1, 4))
    comparison, annotator = (
        np.repeat(np.arange(num_comparisons), OVERLAP),
        rng.integers(NUM_ANNOTATORS, size=num_judgments),
    )
    prompt, pair = np.divmod(comparison, len(PAIRS))
    first, second = np.array(PAIRS)[pair].T
    side = rng.choice([1, -1], num_judgments)
    skill, left_bias = rng.lognormal(-0.08, 0.4, NUM_ANNOTATORS), rng.normal(0.1, 0.2, NUM_ANNOTATORS)
    logit = skill[annotator] * (utilities[prompt, first] - utilities[prompt, second]) + side * left_bias[annotator]
    is_first = rng.random(num_judgments) < 1 / (1 + np.exp(-logit))
    return Judgments(
        comparisons=comparison.tolist(),
        annotators=annotator.tolist(),
        tiers=[[[0], [1]] if better else [[1], [0]] for better in is_first.tolist()],
        display_orders=[[0, 1] if shown == 1 else [1, 0] for shown in side.tolist()],
        completions={number: list(PAIRS[number % len(PAIRS)]) for number in range(num_comparisons)},
        prompts={number: number // len(PAIRS) for number in range(num_comparisons)},
    )


def timed(work: Callable[[], Any], num_rounds: int = 1) -> float:
    """Median seconds."""
    seconds = []
    for _ in range(num_rounds):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def crowd_kit(name: str) -> Any:
    """A class of crowd-kit, or None where it is not installed."""
    if importlib.util.find_spec("crowdkit") is None:
        return None
    return getattr(importlib.import_module("crowdkit.aggregation"), name)


def time_dawid_skene(votes: PairVotes, num_units: int, num_rounds: int) -> dict[str, Any]:
    """The bare fit, of canonical values."""
    ours = timed(
        lambda: fit_dawid_skene(
            votes.units_V,
            votes.annotators_V,
            votes.values_V,
            num_units=num_units,
            num_annotators=NUM_ANNOTATORS,
            num_values=3,
        ),
        num_rounds,
    )
    peer = crowd_kit("DawidSkene")
    frame = pd.DataFrame({"task": votes.units_V, "worker": votes.annotators_V, "label": votes.values_V})
    return metric(ours, "crowd-kit", peer and timed(lambda: peer(n_iter=100).fit(frame)))


def time_annotator_skill(judgments: Judgments, votes: PairVotes, num_rounds: int) -> dict[str, Any]:
    """The bare fit."""
    comparisons = number_comparisons(judgments)
    cells = place_votes(place_prompts(comparisons), comparisons, votes)
    skilled = SkilledVotes(
        cells=cells,
        annotators_V=votes.annotators_V,
        outcomes_V=1 - votes.values_V / 2,
        sides_V=votes.sides_V.astype(np.float64),
        weights_V=votes.weights_V,
        num_annotators=NUM_ANNOTATORS,
    )
    ours = timed(lambda: fit_annotator_skill(skilled), num_rounds)
    peer = crowd_kit("NoisyBradleyTerry")
    is_first = votes.values_V == 0
    left = np.where(votes.sides_V > 0, votes.first_items_V, votes.second_items_V)
    right = np.where(votes.sides_V > 0, votes.second_items_V, votes.first_items_V)
    winner = np.where(is_first, votes.first_items_V, votes.second_items_V)
    frame = pd.DataFrame({"worker": votes.annotators_V, "left": left, "right": right, "label": winner})
    return metric(ours, "crowd-kit", peer and timed(lambda: peer(n_iter=100).fit(frame)))


def time_bradley_terry(num_votes: int, num_rounds: int) -> dict[str, Any]:
    """From a list of votes about 1,000 items to their utilities."""
    rng = np.random.default_rng(1)
    utilities = rng.normal(0, 1, NUM_ITEMS)
    first = rng.integers(NUM_ITEMS, size=num_votes)
    second = (first + rng.integers(1, NUM_ITEMS, size=num_votes)) % NUM_ITEMS
    is_first = rng.random(num_votes) < 1 / (1 + np.exp(utilities[second] - utilities[first]))
    winners, losers = np.where(is_first, first, second), np.where(is_first, second, first)

    def ours() -> None:
        cells = np.bincount(winners * NUM_ITEMS + losers, minlength=NUM_ITEMS**2)
        wins = cells.reshape(NUM_ITEMS, NUM_ITEMS).astype(np.float64)
        fit_utilities(
            PairCounts(net_PNN=(wins - wins.T)[None], num_PNN=(wins + wins.T)[None], ties_PNN=np.zeros_like(wins)[None])
        )

    pairs = list(zip(winners.tolist(), losers.tolist(), strict=True))
    theirs = timed(lambda: choix.ilsr_pairwise(NUM_ITEMS, pairs, alpha=0.01))
    return metric(timed(ours, num_rounds), "choix", theirs)


def metric(seconds: float, peer: str, peer_seconds: float | None) -> dict[str, Any]:
    """One measurement; a ratio above 1 means that ours is faster."""
    return {
        "value": round(seconds, 4),
        "unit": "s",
        "peer": peer if peer_seconds is not None else None,
        "peer_value": None if peer_seconds is None else round(peer_seconds, 3),
        "ratio": None if peer_seconds is None else round(peer_seconds / seconds, 2),
    }


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--judgments", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    num_judgments = arguments.judgments or (50_000 if arguments.quick else 1_000_000)
    judgments = make_judgments(num_judgments)
    measured = {}
    for name in METHODS:
        seconds = timed(lambda name=name: aggregate(name, judgments), 1)  # type: ignore[misc]  # a default binds the name
        measured[f"{name}_consensus_seconds"] = metric(seconds, "", None)
        print(f"{name}: {seconds:.2f} s from columns to consensus", flush=True)
    comparisons = number_comparisons(judgments)
    votes = count_pair_votes(judgments, comparisons)
    measured["dawid_skene_fit_seconds"] = time_dawid_skene(votes, comparisons.num_units, arguments.rounds)
    measured["bradley_terry_fit_seconds"] = time_bradley_terry(num_judgments, arguments.rounds)
    measured["annotator_skill_fit_seconds"] = time_annotator_skill(judgments, votes, arguments.rounds)
    settings = {
        "judgments": num_judgments,
        "overlap": OVERLAP,
        "annotators": NUM_ANNOTATORS,
        "rounds": arguments.rounds,
    }
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"name": "aggregation", "metrics": measured, "settings": settings, "machine": machine}))


if __name__ == "__main__":
    main()
