"""Judgments for the tests of aggregations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from annotation.aggregation import Judgments

FIRST, SECOND, TIE = [[0], [1]], [[1], [0]], [[0, 1]]
Row = tuple[str, str, Sequence[Sequence[int]] | None]  # comparison, annotator, tiers


def judgments_of(
    rows: Sequence[Row],
    completions: dict[str, list[str]],
    *,
    prompts: dict[str, str] | None = None,
    unranked_is_worse: bool = False,
) -> Judgments:
    """Judgments shown in canonical order; every comparison is a prompt of its own unless `prompts` says otherwise."""
    return Judgments(
        comparisons=[comparison for comparison, _, _ in rows],
        annotators=[annotator for _, annotator, _ in rows],
        tiers=[tiers for _, _, tiers in rows],
        display_orders=[list(range(len(completions[comparison]))) for comparison, _, _ in rows],
        unranked_is_worse=[unranked_is_worse] * len(rows),
        completions=completions,
        prompts=prompts or {comparison: comparison for comparison in completions},
    )


def votes_on_pair(*tiers: Sequence[Sequence[int]] | None) -> Judgments:
    """Judgments of one comparison of two completions, each by another annotator."""
    rows = [("c", f"annotator {number}", answer) for number, answer in enumerate(tiers)]
    return judgments_of(rows, {"c": ["x", "y"]})


def simulated_pairs(
    *, skills: NDArray[np.float64], left_biases: NDArray[np.float64], num_prompts: int, num_each: int, seed: int
) -> tuple[Judgments, NDArray[np.float64]]:
    """Everybody judges `num_each` pairs of four completions of a prompt, by the model of skill and left bias.

    Returns the judgments and the true utilities [prompt, 4].
    """
    rng = np.random.default_rng(seed)
    utilities = rng.normal(0, 1.5, (num_prompts, 4))
    utilities -= utilities.mean(axis=1, keepdims=True)
    comparisons, annotators, tiers, orders = [], [], [], []
    for annotator, (skill, left_bias) in enumerate(zip(skills, left_biases, strict=True)):
        for prompt in rng.integers(num_prompts, size=num_each).tolist():
            first, second = sorted(rng.choice(4, 2, replace=False).tolist())
            side = int(rng.choice([-1, 1]))
            logit = skill * (utilities[prompt, first] - utilities[prompt, second]) + side * left_bias
            comparisons.append((prompt, first, second))
            annotators.append(annotator)
            tiers.append(FIRST if rng.random() < 1 / (1 + np.exp(-logit)) else SECOND)
            orders.append([0, 1] if side == 1 else [1, 0])
    known = set(comparisons)
    judgments = Judgments(
        comparisons=comparisons,
        annotators=annotators,
        tiers=tiers,
        display_orders=orders,
        completions={name: [name[1], name[2]] for name in known},
        prompts={name: name[0] for name in known},
    )
    return judgments, utilities
