"""Every loss of a reward model, as pure functions of its scores: pairs with hard, soft or tied labels, and rankings.

P pairs, K completions of a prompt, R choices. Losses come unreduced: the caller divides a sum by the global count.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import Final, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from training.algorithms.devices import sent
from training.algorithms.losses import noisy_target

Tiers = Sequence[Sequence[int]]  # a weak ordering of 0 … K-1, best first, ties inside a tier


class Outcomes(NamedTuple):
    """Log-probabilities of what a judge says about P pairs, nats."""

    wins_P: Tensor
    ties_P: Tensor
    losses_P: Tensor


class OutcomeModel(Protocol):
    """What scores say about judgments, from the differences d of two scores; see `OUTCOME_MODELS`."""

    def __call__(self, *, margins_P: Tensor, tie_rate: float) -> Outcomes: ...


def bradley_terry_outcomes(*, margins_P: Tensor, tie_rate: float) -> Outcomes:
    """P(win) = s(d); a tie counts as half a win of each. Bradley and Terry (1952)."""
    del tie_rate
    wins_P, losses_P = logsigmoid(margins_P), logsigmoid(-margins_P)
    return Outcomes(wins_P, (wins_P + losses_P) / 2, losses_P)


def rao_kupper_outcomes(*, margins_P: Tensor, tie_rate: float) -> Outcomes:
    """P(win) = s(d - h), P(loss) = s(-d - h), P(tie) = (e^2h - 1) s(d - h) s(-d - h). Rao and Kupper (1967) eq. 2.

    h = ln((1 + t) / (1 - t)) is the threshold at which equal completions tie with probability t = `tie_rate`.
    """
    threshold = math.log((1 + tie_rate) / (1 - tie_rate))
    wins_P, losses_P = logsigmoid(margins_P - threshold), logsigmoid(-margins_P - threshold)
    return Outcomes(wins_P, wins_P + losses_P + math.log(math.expm1(2 * threshold)), losses_P)


def davidson_outcomes(*, margins_P: Tensor, tie_rate: float) -> Outcomes:
    """P(win) : P(tie) : P(loss) = e^(d/2) : v : e^(-d/2). Davidson (1970) eq. 2.1.

    v = 2t / (1 - t), so that equal completions tie with probability t = `tie_rate`.
    """
    ties_P = torch.full_like(margins_P, math.log(2 * tie_rate / (1 - tie_rate)))
    return Outcomes(*torch.log_softmax(torch.stack([margins_P / 2, ties_P, -margins_P / 2]), dim=0).unbind())


OUTCOME_MODELS: Final[dict[str, OutcomeModel]] = {
    "none": bradley_terry_outcomes,
    "rao_kupper": rao_kupper_outcomes,
    "davidson": davidson_outcomes,
}


def bradley_terry_loss(
    *,
    chosen_scores_P: Tensor,
    rejected_scores_P: Tensor,
    weights_P: Tensor,
    p_chosen_P: Tensor | float = 1.0,
    p_tied_P: Tensor | float = 0.0,
    margins_P: Tensor | float = 0.0,
    label_smoothing: float = 0.0,
    centring: float = 0.0,
    outcomes: OutcomeModel = bradley_terry_outcomes,
    tie_rate: float = 0.25,
) -> Tensor:
    """-w [p log P(win) + t log P(tie) + q log P(loss)] + w c (r_c + r_r)² at d = r_c - r_r - m; shape (P,), fp32.

    Scores and weights have shape (P,), `p_chosen_P` is the probability p that the chosen one wins, `p_tied_P` the
    probability t of a tie, q = 1 - p - t; hard labels have p = 1. `label_smoothing` is the probability that win and
    loss are swapped. `margins_P` is the distance m that a judgment's strength asks for, in units of the score.
    Bradley and Terry (1952); Ouyang et al. (2022) eq. 1; the margin is Touvron et al. (2023) eq. 2, the centring
    term Eisenstein et al. (2023). With equal scores, no margin and no ties the loss is w ln 2.
    """
    chosen_scores_P, rejected_scores_P = chosen_scores_P.float(), rejected_scores_P.float()
    p_chosen_P, p_tied_P = (torch.as_tensor(p, dtype=torch.float32) for p in (p_chosen_P, p_tied_P))
    decided_P = 1 - p_tied_P
    wins_P = noisy_target(p_chosen_P / decided_P.clamp(min=1e-9), label_smoothing=label_smoothing) * decided_P
    said = outcomes(margins_P=chosen_scores_P - rejected_scores_P - margins_P, tie_rate=tie_rate)
    losses_P = -(wins_P * said.wins_P + p_tied_P * said.ties_P + (decided_P - wins_P) * said.losses_P)
    return weights_P * (losses_P + centring * (chosen_scores_P + rejected_scores_P).square())


class RankedPair(NamedTuple):
    """Two completions of a ranking."""

    better: int
    worse: int
    is_tie: bool


def ranked_pairs(tiers: Tiers) -> list[RankedPair]:
    """All K(K-1)/2 pairs of a ranking, the better one first.

    The K-wise loss of a prompt is the mean of `bradley_terry_loss` over them. Ouyang et al. (2022) eq. 1.
    """
    placed = [(completion, place) for place, tier in enumerate(tiers) for completion in tier]
    return [RankedPair(one, other, place == below) for (one, place), (other, below) in combinations(placed, 2)]


@cache
def choice_table(sizes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The choices of a ranking with tiers of these sizes: members (R, K) in the order of the tiers, and weights (R,).

    A tie of T over B below them is the mean over its T! orders: every subset S of T is what is left of it in one of
    C(|T|, |S|) orders, so S with B is a set that was chosen from with weight 1 / C(|T|, |S|).
    """
    num_completions, start = sum(sizes), 0
    members, weights = [], []
    for size in sizes:
        below = range(start + size, num_completions)
        for num_left in range(1, size + 1):
            for left in combinations(range(start, start + size), num_left):
                members.append([k in left or k in below for k in range(num_completions)])
                weights.append(1 / math.comb(size, num_left))
        start += size
    return torch.tensor(members), torch.tensor(weights)


def plackett_luce_loss(*, scores_K: Tensor, tiers: Tiers) -> Tensor:
    """-sum over choices of [chosen score - log sum exp(scores of the set)], a scalar, nats, fp32.

    `scores_K` has shape (K,), `tiers` orders its indexes. Luce (1959); Plackett (1975); ties are the mean
    log-likelihood over all orders of the tied ones. Two completions give the Bradley–Terry loss, a tie of two half a
    win for each.
    """
    order = [completion for tier in tiers for completion in tier]
    ordered_K = scores_K.float()[sent(torch.tensor(order), scores_K.device)]
    members_RK, weights_R = (sent(table, scores_K.device) for table in choice_table(tuple(map(len, tiers))))
    sets_R = torch.logsumexp(ordered_K.masked_fill(~members_RK, -torch.inf), dim=-1)
    return weights_R @ sets_R - ordered_K.sum()
