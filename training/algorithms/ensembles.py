"""Reward models with several members: what each learns from, what they say together, and how far they disagree.

The members are heads of one network. N examples, C completions, P pairs, E members.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor


def bootstrap_counts(prompts: Sequence[Hashable], *, num_members: int, seed: int) -> Tensor:
    """How often each member learns from each example: prompts drawn with replacement, with all their examples.

    Shape (E, N), fp32; a row's mean over distinct prompts is 1. A function of the seed alone, so that runs resume.
    Efron (1979); Osband et al. (2016) give each head of one network a sample of its own.
    """
    numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(prompts))}
    prompts_N = torch.tensor([numbers[prompt] for prompt in prompts])
    generator = torch.Generator().manual_seed(7_919 * (seed + 1))
    drawn_EM = torch.randint(len(numbers), (num_members, len(numbers)), generator=generator)
    counts_EM = torch.stack([torch.bincount(drawn_M, minlength=len(numbers)) for drawn_M in drawn_EM])
    return counts_EM[:, prompts_N].float()


def variance_over_members(values_CE: Tensor) -> Tensor:
    """Mean squared distance of the members from their mean, shape (C,); 0 for a single one."""
    return values_CE.var(dim=-1, correction=0)


def conservative_scores(
    members_CE: Tensor, *, variance_penalty: float, is_worst_case: bool, num_judges: int = 0
) -> Tensor:
    """What a policy is rewarded for: the lowest member's score, or mean - lambda variance; shape (C,).

    Coste et al. (2023), worst-case and uncertainty-weighted optimisation; with lambda = 0 it is the mean. The last
    `num_judges` members have no say: they only watch.
    """
    members_CE = members_CE[:, : members_CE.shape[-1] - num_judges]
    if is_worst_case:
        return members_CE.min(dim=-1).values
    return members_CE.mean(dim=-1) - variance_penalty * variance_over_members(members_CE)


def disagreements(margins_PE: Tensor) -> Tensor:
    """Variance over the members of the probability s(d) that the first completion wins, shape (P,), at most 1/4.

    Christiano et al. (2017) ask people about the pairs with the largest.
    """
    return variance_over_members(torch.sigmoid(margins_PE))


def reliability(margins_PE: Tensor, shares_P: Tensor) -> dict[str, float]:
    """Whether the members of an ensemble disagree where it errs: it is right where its mean margin is above 0.

    `shares_P` is how much each pair counts. A figure without anything to measure it on is left out.
    """
    variances_P, means_P = variance_over_members(margins_PE), margins_PE.mean(dim=-1)
    right_P, wrong_P = shares_P * (means_P > 0), shares_P * (means_P < 0)
    values = {"variance": weighted_mean(variances_P, shares_P)}
    for name, weights_P in (("variance_where_right", right_P), ("variance_where_wrong", wrong_P)):
        if weights_P.sum() > 0:
            values[name] = weighted_mean(variances_P, weights_P)
    if right_P.sum() > 0 and wrong_P.sum() > 0:
        values["error_auroc"] = auroc(disagreements(margins_PE), positive_P=wrong_P, negative_P=right_P)
    return values


def weighted_mean(values_P: Tensor, weights_P: Tensor) -> float:
    """sum w x / sum w."""
    return ((weights_P * values_P).sum() / weights_P.sum()).item()


def auroc(values_P: Tensor, *, positive_P: Tensor, negative_P: Tensor) -> float:
    """Probability that a positive example has the larger value than a negative one, ties counting half.

    `positive_P` and `negative_P` are weights. The area under the curve of true over false alarms: 1/2 tells nothing.
    Mann and Whitney (1947).
    """
    levels_L, level_P = torch.unique(values_P, return_inverse=True)
    zeros_L = torch.zeros(len(levels_L), dtype=torch.float64)
    positive_L = zeros_L.index_add(0, level_P, positive_P.double())
    negative_L = zeros_L.index_add(0, level_P, negative_P.double())
    below_L = negative_L.cumsum(0) - negative_L / 2
    return ((positive_L @ below_L) / (positive_L.sum() * negative_L.sum())).item()
