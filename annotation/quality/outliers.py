"""A sequential test of each annotator that may be looked at after every judgment, for pausing automatically.

Two bets run side by side on an annotator's credits x (0 … 1: agreement with gold or with the consensus of the others).
One bets against "agrees at least as often as required": its wealth is multiplied by 1 + λ (required - x). The other
bets against "agrees no more often than chance": 1 + λ (x - chance). While the claim is true no strategy makes wealth
grow on average, so that it ever reaches 1 / α with probability α at most (Ville): however often one looks, somebody
who is good enough is paused with probability α at most, and somebody who guesses is cleared with probability α at most.
λ is spread over a grid, which needs no guess of how bad the annotator is.

The claims are about each next judgment given those before. For gold in random order this is plain. Agreement with the
consensus depends on the item, and where hard items come in a row somebody good looks bad: test `Credits.relative`
instead, with `required` just below one half. Whoever is exchangeable with the others of each item is at one half there
in every order of items. Take such credits once, when a comparison is complete, and let no later judgment change them.

Sources: J. Ville, "Étude critique de la notion de collectif" (1939); A. Wald, "Sequential Tests of Statistical
Hypotheses" (Annals of Mathematical Statistics 16, 1945); I. Waudby-Smith and A. Ramdas, "Estimating means of bounded
random variables by betting" (JRSS B 86, 2024), section 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from annotation.agreement.columns import Column, Floats
from annotation.quality.drift import judgments_in_order

Verdict = Literal["pause", "clear", "open"]

ALPHA = 0.01
FRACTIONS = tuple(number / 20 for number in range(1, 20))  # of the largest bet that cannot lose everything at once


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The state of both bets after n credits: small, so that it can be stored and carried on with the next one."""

    required: float  # agreement that is good enough, between chance and 1
    chance: float  # agreement of somebody who guesses, above 0
    n: int = 0
    against_required: tuple[float, ...] = (0.0,) * len(FRACTIONS)  # log wealth of each fraction
    against_chance: tuple[float, ...] = (0.0,) * len(FRACTIONS)
    most_against_required: float = 0.0  # the largest log of the mean wealth so far
    most_against_chance: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.chance < self.required < 1:
            raise ValueError(f"0 < chance < required < 1, got chance {self.chance} and required {self.required}")

    def after(self, credits: Sequence[float] | Floats) -> Evidence:
        """The state after further credits, in order. Raises ValueError for one outside 0 … 1."""
        return _path(self, np.asarray(credits, dtype=np.float64))[0]

    @property
    def p_value(self) -> float:
        """Of "agrees as often as required", valid whenever one looks."""
        return math.exp(-self.most_against_required)

    def verdict(self, *, alpha: float = ALPHA) -> Verdict:
        """ "pause" if the evidence that it is not good enough ever sufficed, "clear" if it is above chance."""
        limit = -math.log(alpha)
        if self.most_against_required >= limit:
            return "pause"
        return "clear" if self.most_against_chance >= limit else "open"


@dataclass(frozen=True, kw_only=True)
class OutlierTest:
    """The test of one annotator."""

    annotator: Any
    verdict: Verdict
    mean: float  # of the credits
    num_until_pause: int | None  # credits at which the evidence first sufficed
    evidence: Evidence


def outlier_tests(
    annotators: Column, times: Column, credits: Column, *, required: float, chance: float, alpha: float = ALPHA
) -> list[OutlierTest]:
    """The test of every annotator, in rising order, from equally long columns in any order.

    `alpha` holds for each annotator: of G good ones, alpha · G at most are paused on average, ever.
    """
    credits_J = np.asarray(credits, dtype=np.float64)
    start = Evidence(required=required, chance=chance)
    tests = []
    for annotator, own in judgments_in_order(annotators, times):
        evidence, logs = _path(start, credits_J[own])
        reached = np.flatnonzero(logs >= -math.log(alpha))
        tests.append(
            OutlierTest(
                annotator=annotator,
                verdict=evidence.verdict(alpha=alpha),
                mean=float(credits_J[own].mean()),
                num_until_pause=int(reached[0]) + 1 if len(reached) else None,
                evidence=evidence,
            )
        )
    return tests


def _path(start: Evidence, credits_N: Floats) -> tuple[Evidence, Floats]:
    """The state after the credits, and the log of the mean wealth against "required" after each of them [N]."""
    if not len(credits_N):
        return start, credits_N
    if credits_N.min() < 0 or credits_N.max() > 1 or np.isnan(credits_N).any():
        raise ValueError("a credit is between 0 and 1")
    fractions_F = np.array(FRACTIONS)
    lost_NF = np.log1p(fractions_F / (1 - start.required) * (start.required - credits_N[:, None]))
    won_NF = np.log1p(fractions_F / start.chance * (credits_N[:, None] - start.chance))
    required_NF = np.array(start.against_required) + np.cumsum(lost_NF, axis=0)
    chance_NF = np.array(start.against_chance) + np.cumsum(won_NF, axis=0)
    logs_N, chance_logs_N = _log_mean(required_NF), _log_mean(chance_NF)
    evidence = Evidence(
        required=start.required,
        chance=start.chance,
        n=start.n + len(credits_N),
        against_required=tuple(required_NF[-1].tolist()),
        against_chance=tuple(chance_NF[-1].tolist()),
        most_against_required=max(start.most_against_required, float(logs_N.max())),
        most_against_chance=max(start.most_against_chance, float(chance_logs_N.max())),
    )
    return evidence, logs_N


def _log_mean(logs_NF: Floats) -> Floats:
    """The log of the mean of what these are logs of."""
    largest_N1 = logs_NF.max(axis=1, keepdims=True)
    return np.asarray(np.log(np.exp(logs_NF - largest_N1).mean(axis=1)) + largest_N1[:, 0])
