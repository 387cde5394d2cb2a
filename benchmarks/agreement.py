"""How long a dashboard's agreement takes: every coefficient, the annotators' matrix, each annotator, with intervals.

    python -m benchmarks.agreement [--quick] [--judgments N] [--rounds N]

1,000,000 judgments of 200,000 comparisons, five each, by 200 annotators of different skill, as columns in the order in
which judgments are stored (shuffled). A round computes all that the dashboard shows, from the columns on, and then
alpha alone beside the krippendorff package: both from the same counts, and with an interval, for which the package is
called once for each resample (some of them are timed, and the time is scaled up to all). Rounds repeat; values are
medians. `--quick` takes a tenth of the judgments. Stages outside the dashboard (a test for every annotator) are
measured likewise and not counted in it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import krippendorff
import numpy as np
from numpy.typing import NDArray

from annotation import agreement, quality

OVERLAP = 5
NUM_ANNOTATORS = 200
VALUES = (-1, 0, 1)
NUM_PEER_RESAMPLES = 5
WANTED_SECONDS = 2.0

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Judgments:
    """Equally long columns, as a database gives them."""

    comparisons: Integers
    annotators: Integers
    values: Integers
    times: Integers
    active_ms: Integers


@dataclass
class Clock:
    """Seconds of every stage, one for each round."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note the wall time of a stage."""
        started = time.perf_counter()
        yield
        self.seconds[stage].append(time.perf_counter() - started)

    def median(self, stage: str) -> float:
        """Over the rounds."""
        return statistics.median(self.seconds[stage])


def make_judgments(num_judgments: int, *, seed: int = 0) -> Judgments:
    """Annotators who are right in 40 to 90 % of comparisons and answer at random otherwise, in random order."""
    rng = np.random.default_rng(seed)
    num_comparisons = num_judgments // OVERLAP
    annotators_GM = rng.random((num_comparisons, NUM_ANNOTATORS), dtype=np.float32).argpartition(OVERLAP, axis=1)
    annotators_GM = annotators_GM[:, :OVERLAP]
    truth_G1 = rng.choice(VALUES, p=(0.35, 0.2, 0.45), size=(num_comparisons, 1))
    skill_A = rng.uniform(0.4, 0.9, size=NUM_ANNOTATORS)
    is_right_GM = rng.random(annotators_GM.shape) < skill_A[annotators_GM]
    values_GM = np.where(is_right_GM, truth_G1, rng.choice(VALUES, size=annotators_GM.shape))
    order = rng.permutation(annotators_GM.size)
    return Judgments(
        comparisons=np.repeat(10_000 + 3 * np.arange(num_comparisons), OVERLAP)[order],
        annotators=(500 + 7 * annotators_GM.ravel())[order],
        values=values_GM.ravel()[order],
        times=np.arange(annotators_GM.size),
        active_ms=rng.lognormal(10, 0.8, size=annotators_GM.size).astype(np.int64),
    )


def dashboard(judgments: Judgments, clock: Clock) -> dict[str, Any]:
    """All that a campaign's page shows about agreement; each coefficient with 1,000 resamples."""
    with clock.timed("dashboard"):
        with clock.timed("columns"):
            columns = agreement.columns_of(judgments.comparisons, judgments.annotators, judgments.values, domain=VALUES)
        with clock.timed("coefficients"):
            counts = agreement.count_columns(columns)
            coefficients = {
                "raw": agreement.raw_agreement(counts),
                "alpha": agreement.krippendorff_alpha(counts, level="nominal"),
                "alpha_ordinal": agreement.krippendorff_alpha(counts, level="ordinal"),
                "ac1": agreement.gwet_ac(counts),
                "fleiss": agreement.fleiss_kappa(counts),
            }
        with clock.timed("matrix"):
            table = agreement.pairwise_agreement(columns)
            matrices = [table.matrix(table.raw_Q), table.matrix(table.kappa_Q)]
        with clock.timed("annotators"):
            rows = quality.agreement_with_consensus(columns)
    return {"columns": columns, "counts": counts, "matrices": matrices, "annotators": rows} | coefficients


def tests_of_annotators(columns: agreement.Columns, judgments: Judgments, clock: Clock) -> None:
    """What is computed for alarms rather than for a page."""
    with clock.timed("median_times"):
        quality.median_seconds(judgments.annotators, judgments.active_ms)
    with clock.timed("credits"):
        credits = quality.consensus_credits(columns)
        times = np.arange(len(credits.credits_J))
    with clock.timed("drift"):
        quality.drift(credits.annotators_J, times, credits.credits_J)
    with clock.timed("outliers"):
        quality.outlier_tests(credits.annotators_J, times, credits.credits_J, required=0.55, chance=0.4)


def beside_krippendorff(counts: agreement.ValueCounts, clock: Clock, rng: np.random.Generator) -> None:
    """Alpha of the same counts, ours and the package's in turn; the values must be the same."""

    def theirs(drawn: Integers) -> float:
        return float(krippendorff.alpha(value_counts=drawn, value_domain=list(VALUES), level_of_measurement="nominal"))

    with clock.timed("alpha_alone"):
        ours = agreement.krippendorff_alpha(counts, level="nominal", num_resamples=1)
    with clock.timed("alpha_alone_peer"):
        expected = theirs(counts.counts_UV)
    assert ours.value is not None
    assert abs(ours.value - expected) < 1e-9, (ours.value, expected)
    with clock.timed("alpha_with_interval"):
        agreement.krippendorff_alpha(counts, level="nominal")
    with clock.timed("peer_resamples"):
        for _ in range(NUM_PEER_RESAMPLES):
            theirs(counts.counts_UV[rng.integers(len(counts.counts_UV), size=len(counts.counts_UV))])


def measure(num_judgments: int, num_rounds: int) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Metrics, and the coefficients that were computed."""
    judgments, clock, rng = make_judgments(num_judgments), Clock(), np.random.default_rng(1)
    warm_up = make_judgments(20_000)
    dashboard(warm_up, Clock())
    shown: dict[str, Any] = {}
    for number in range(num_rounds):
        shown = dashboard(judgments, clock)
        beside_krippendorff(shown["counts"], clock, rng)
        tests_of_annotators(shown["columns"], judgments, clock)
        print(json.dumps({"round": number, **{name: round(times[-1], 4) for name, times in clock.seconds.items()}}))
    return metrics(clock), shown


def metrics(clock: Clock) -> dict[str, dict[str, Any]]:
    """Medians of the rounds, with the peer's where there is one."""
    resampled = clock.median("peer_resamples") / NUM_PEER_RESAMPLES * agreement.NUM_RESAMPLES
    peers = {"alpha_alone": clock.median("alpha_alone_peer"), "alpha_with_interval": resampled}
    stages = ["dashboard", "columns", "coefficients", "matrix", "annotators", *peers]
    stages += ["median_times", "credits", "drift", "outliers"]
    return {f"{stage}_seconds": seconds(clock.median(stage), peers.get(stage)) for stage in stages}


def seconds(value: float, peer_value: float | None) -> dict[str, Any]:
    """One measurement; a ratio above 1 means that ours is faster."""
    return {
        "value": round(value, 5),
        "unit": "s",
        "peer": None if peer_value is None else "krippendorff",
        "peer_value": None if peer_value is None else round(peer_value, 5),
        "ratio": None if peer_value is None else round(peer_value / value, 2),
    }


def main() -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--judgments", type=int)
    parser.add_argument("--rounds", type=int)
    arguments = parser.parse_args()
    num_judgments = arguments.judgments or (100_000 if arguments.quick else 1_000_000)
    num_rounds = arguments.rounds or (3 if arguments.quick else 7)
    measured, shown = measure(num_judgments, num_rounds)
    for name in ("raw", "alpha", "alpha_ordinal", "ac1", "fleiss"):
        print(name, shown[name])
    settings = {
        "judgments": num_judgments,
        "overlap": OVERLAP,
        "annotators": NUM_ANNOTATORS,
        "annotator_pairs": int(np.isfinite(shown["matrices"][0]).sum()) // 2,
        "resamples": agreement.NUM_RESAMPLES,
        "peer_resamples_timed": NUM_PEER_RESAMPLES,
        "rounds": num_rounds,
        "wanted_dashboard_seconds": WANTED_SECONDS,
    }
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    print(json.dumps({"name": "agreement", "metrics": measured, "settings": settings, "machine": machine}))


if __name__ == "__main__":
    main()
