"""How many judgments adaptive selection saves against random pairs at equal accuracy: a simulation.

    python -m benchmarks.adaptive [--quick] [--seeds N] [--prompts N]

Prompts have nine completions with true utilities from a normal distribution. Annotators differ in skill and in left
bias, and two of them agree on 73 % of random pairs, as InstructGPT's do; a pair is asked at most five times. A policy
asks pair after pair; Bradley and Terry's model with the prior that production uses orders the completions; accuracy is
Kendall's tau between that order and the true one. For what the random policy reaches with one, two and three judgments
a pair it is counted how many judgments the others need. Intervals are 95 % (Student's t) over seeds, each with prompts
and annotators of its own.

Policies: "random" pairs; "coverage" (the pairs asked least, which is what a queue without a policy does); "adaptive"
(`annotation/scheduling.py`); "adaptive with 10 % random"; the information gain and Arena's rule for comparison. The
stop is measured apart, for each of its scopes with a probability of 80, 90 and 95 %: how many prompts settle before all
180 judgments are given, with how many judgments, at which tau, and how often they are right against what is believed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import t as student

from annotation.aggregation.bradley_terry import PairCounts, difference_variances, differences, fit_utilities
from annotation.aggregation.newton import Posterior
from annotation.scheduling import Scope, Votes, is_settled, known_probability, score_pairs, value_of_asking

NUM_COMPLETIONS, MOST_PER_PAIR = 9, 5
FIRST, SECOND = np.triu_indices(NUM_COMPLETIONS, k=1)
NUM_PAIRS = len(FIRST)
UTILITY_SD = 1.95  # with these annotators, two agree on 73 % of random pairs; measured and printed
SKILL_SD, LEFT_BIAS, LEFT_BIAS_SD = 0.4, 0.1, 0.2
TARGETS = (1, 2, 3)  # judgments a pair
SETTLED = (0.8, 0.9, 0.95)
SCOPES: tuple[Scope, ...] = ("order", "top", "pairs")

Floats = NDArray[np.float64]
Policy = Callable[[Posterior, Floats, np.random.Generator], Floats]  # posterior, asked [P, E] -> scores [P, E]


class World:
    """P prompts with true utilities, and votes on them so far."""

    def __init__(self, num_prompts: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.utilities_PN = self.rng.normal(0, UTILITY_SD, (num_prompts, NUM_COMPLETIONS))
        self.net_PNN, self.num_PNN = np.zeros((2, num_prompts, NUM_COMPLETIONS, NUM_COMPLETIONS))
        self.asked_PE = np.zeros((num_prompts, NUM_PAIRS))

    @property
    def true_gaps(self) -> Floats:
        """True differences of each pair [P, E]."""
        return np.asarray(self.utilities_PN[:, FIRST] - self.utilities_PN[:, SECOND])

    def answer(self, gaps: Floats) -> NDArray[np.bool_]:
        """Whether the first is preferred, by somebody at random who sees it left or right at random."""
        skills = np.exp(self.rng.normal(-(SKILL_SD**2) / 2, SKILL_SD, gaps.shape))
        sides = self.rng.choice([1, -1], gaps.shape)
        left_biases = self.rng.normal(LEFT_BIAS, LEFT_BIAS_SD, gaps.shape)
        return np.asarray(self.rng.random(gaps.shape) < expit(skills * gaps + sides * left_biases))

    def ask(self, pairs_P: NDArray[np.int64], rows: NDArray[np.int64] | None = None) -> None:
        """One judgment of one pair of each prompt, or of the prompts in `rows`."""
        rows = np.arange(len(pairs_P)) if rows is None else rows
        pairs_P = pairs_P[rows]
        sign = np.where(self.answer(self.true_gaps[rows, pairs_P]), 1, -1)
        first, second = FIRST[pairs_P], SECOND[pairs_P]
        self.asked_PE[rows, pairs_P] += 1
        for i, j, net in ((first, second, sign), (second, first, -sign)):
            self.num_PNN[rows, i, j] += 1
            self.net_PNN[rows, i, j] += net

    def posterior(self) -> Posterior:
        """What production would know now."""
        counts = PairCounts(net_PNN=self.net_PNN, num_PNN=self.num_PNN, ties_PNN=np.zeros_like(self.net_PNN))
        return fit_utilities(counts)

    def taus(self, posterior: Posterior) -> Floats:
        """Kendall's tau of each prompt [P]; there are no ties."""
        found = posterior.utilities_PN[:, FIRST] - posterior.utilities_PN[:, SECOND]
        return np.asarray((np.sign(found) * np.sign(self.true_gaps)).mean(axis=1))


def pair_posterior(posterior: Posterior) -> tuple[Floats, Floats]:
    """Mode and variance of each pair's difference [P, E]."""
    gaps = differences(posterior.utilities_PN)[:, FIRST, SECOND]
    return gaps, difference_variances(posterior.covariance_PNN)[:, FIRST, SECOND]


def random_pairs(posterior: Posterior, asked_PE: Floats, rng: np.random.Generator) -> Floats:
    """Each pair as likely as any other."""
    return np.zeros_like(asked_PE)


def coverage(posterior: Posterior, asked_PE: Floats, rng: np.random.Generator) -> Floats:
    """The pairs asked least."""
    return -asked_PE


def adaptive(posterior: Posterior, asked_PE: Floats, rng: np.random.Generator) -> Floats:
    """As production does."""
    return value_of_asking(*pair_posterior(posterior))


def adaptive_with_random_arm(posterior: Posterior, asked_PE: Floats, rng: np.random.Generator) -> Floats:
    """A random pair in a tenth of the questions."""
    is_random = rng.random((len(asked_PE), 1)) < 0.1
    return np.where(is_random, 0.0, adaptive(posterior, asked_PE, rng))


def information(posterior: Posterior, asked_PE: Floats, rng: np.random.Generator) -> Floats:
    """Only the information that is expected."""
    gaps, variances = pair_posterior(posterior)
    p = expit(gaps)
    return np.asarray(np.log1p(p * (1 - p) * variances))


def arena(posterior: Posterior, asked_PE: Floats, rng: np.random.Generator) -> Floats:
    """The shrinking of the pair's interval by one more judgment."""
    deviations = np.sqrt(pair_posterior(posterior)[1])
    return np.asarray(deviations * (1 / np.sqrt(asked_PE + 1) - 1 / np.sqrt(asked_PE + 2)))


POLICIES: dict[str, Policy] = {
    "random": random_pairs,
    "coverage": coverage,
    "adaptive": adaptive,
    "adaptive_with_random_arm": adaptive_with_random_arm,
    "information_only": information,
    "arena_rule": arena,
}


def simulate(policy: Policy, *, num_prompts: int, num_questions: int, seed: int) -> Floats:
    """The mean tau after 0, 1, … questions a prompt."""
    world = World(num_prompts, seed)
    taus = []
    for _ in range(num_questions + 1):
        posterior = world.posterior()
        taus.append(world.taus(posterior).mean())
        noise = world.rng.random(world.asked_PE.shape) * 1e-9  # among equals, any
        scores = policy(posterior, world.asked_PE, world.rng) + noise
        world.ask(np.where(world.asked_PE < MOST_PER_PAIR, scores, -np.inf).argmax(axis=1))
    return np.array(taus)


def first_reaching(taus: Floats, target: float) -> float:
    """Questions until the running curve reaches a target, between two steps by straight line; infinite if never."""
    reached = np.flatnonzero(taus >= target)
    if not len(reached):
        return float("inf")
    after = int(reached[0])
    if after == 0:
        return 0.0
    return float(after - (taus[after] - target) / (taus[after] - taus[after - 1]))


def simulate_stop(scope: Scope, probability: float, *, num_prompts: int, seed: int) -> dict[str, float]:
    """The adaptive policy, which leaves a prompt as soon as what `scope` asks for is known."""
    world = World(num_prompts, seed)
    is_open_P = np.ones(num_prompts, dtype=bool)
    for _ in range(NUM_PAIRS * MOST_PER_PAIR):
        scores = adaptive(world.posterior(), world.asked_PE, world.rng) + world.rng.random(world.asked_PE.shape) * 1e-9
        pairs_P = np.where(world.asked_PE < MOST_PER_PAIR, scores, -np.inf).argmax(axis=1)
        world.ask(pairs_P, np.flatnonzero(is_open_P))
        is_open_P &= known_probability(world.posterior(), scope=scope) < probability
        if not is_open_P.any():
            break
    posterior = world.posterior()
    taus, best = world.taus(posterior), posterior.utilities_PN.argmax(axis=1) == world.utilities_PN.argmax(axis=1)
    return {
        "settled": float((~is_open_P).mean()),
        "judgments": float(world.asked_PE.sum(axis=1).mean()),
        "tau": float(taus.mean()),
        "settled_pairs_right": _mean((1 + taus[~is_open_P]) / 2),
        "settled_pairs_believed": _mean(known_probability(posterior, scope="pairs")[~is_open_P]),
        "settled_best_right": _mean(best[~is_open_P]),
    }


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if values.size else float("nan")


def agreement_of_two(seed: int = 0) -> float:
    """How often two annotators agree on a random pair."""
    world = World(20_000, seed)
    return float((world.answer(world.true_gaps) == world.answer(world.true_gaps)).mean())


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and 95 % interval over seeds."""
    mean = statistics.fmean(values)
    half = float(student.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return mean, mean - half, mean + half


def milliseconds_per_call() -> dict[str, float]:
    """`score_pairs` and `is_settled` for nine completions with 100 votes: median of 200 calls."""
    world = World(1, 0)
    for _ in range(100):
        world.ask(world.rng.integers(NUM_PAIRS, size=1))
    votes = Votes(completions=tuple(range(NUM_COMPLETIONS)), net_NN=world.net_PNN[0], num_NN=world.num_PNN[0])
    measured = {}
    for name, call in (("score_pairs", lambda: score_pairs(votes)), ("is_settled", lambda: is_settled(votes, 0.9))):
        seconds = []
        for _ in range(200):
            started = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - started)
        measured[name] = statistics.median(seconds) * 1000
    return measured


def measure_savings(num_seeds: int, num_prompts: int) -> dict[str, dict[str, Any]]:
    """For each policy and target the share of judgments saved against the random policy, with its interval."""
    num_questions = NUM_PAIRS * TARGETS[-1]
    curves = {
        name: [
            simulate(policy, num_prompts=num_prompts, num_questions=num_questions, seed=1000 + seed)
            for seed in range(num_seeds)
        ]
        for name, policy in POLICIES.items()
    }
    metrics = {}
    for per_pair in TARGETS:
        spent = per_pair * NUM_PAIRS
        targets = [float(curve[spent]) for curve in curves["random"]]
        metrics[f"random_tau_at_{per_pair}_per_pair"] = metric(statistics.fmean(targets), "tau")
        for name, runs in curves.items():
            if name == "random":
                continue
            saved = [1 - min(first_reaching(run, goal), spent) / spent for run, goal in zip(runs, targets, strict=True)]
            mean, low, high = interval(saved)
            metrics[f"{name}_saved_at_{per_pair}_per_pair"] = metric(mean, "share of judgments", low=low, high=high)
            print(f"{name:25} {per_pair} a pair: {mean:6.1%} saved ({low:.1%} to {high:.1%})", flush=True)
    return metrics


def measure_stops(num_seeds: int, num_prompts: int, settled: Sequence[float]) -> dict[str, dict[str, Any]]:
    """What the stop does, for each scope and probability."""
    metrics = {}
    for scope in SCOPES:
        for probability in settled:
            runs = [simulate_stop(scope, probability, num_prompts=num_prompts, seed=2000 + s) for s in range(num_seeds)]
            columns = {name: np.array([run[name] for run in runs]) for name in runs[0]}
            means = {name: _mean(column[~np.isnan(column)]) for name, column in columns.items()}
            for name, mean in means.items():
                unit = name if name in ("judgments", "tau") else "share"
                metrics[f"stop_{scope}_{probability:g}_{name}"] = metric(mean, unit)
            print(
                f"stop: {scope} at {probability:.0%}",
                {name: round(mean, 3) for name, mean in means.items()},
                flush=True,
            )
    return metrics


def metric(value: float, unit: str, **bounds: float) -> dict[str, Any]:
    """One measurement, without a peer."""
    rounded = {name: round(bound, 4) for name, bound in bounds.items()}
    return {
        "value": None if np.isnan(value) else round(value, 4),
        "unit": unit,
        "peer": None,
        "peer_value": None,
        "ratio": None,
        **rounded,
    }


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--prompts", type=int)
    arguments = parser.parse_args()
    num_seeds = arguments.seeds or (4 if arguments.quick else 10)
    num_prompts = arguments.prompts or (100 if arguments.quick else 300)
    agreement = agreement_of_two()
    measured = {"agreement_of_two_annotators": metric(agreement, "share")}
    measured |= measure_savings(num_seeds, num_prompts)
    measured |= measure_stops(num_seeds, num_prompts, SETTLED[1:2] if arguments.quick else SETTLED)
    measured |= {f"{name}_milliseconds": metric(value, "ms") for name, value in milliseconds_per_call().items()}
    settings = {"seeds": num_seeds, "prompts_per_seed": num_prompts, "completions": NUM_COMPLETIONS}
    settings |= {"most_per_pair": MOST_PER_PAIR, "utility_sd": UTILITY_SD, "skill_sd": SKILL_SD}
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"name": "adaptive", "metrics": measured, "settings": settings, "machine": machine}))


if __name__ == "__main__":
    main()
