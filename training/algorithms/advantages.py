"""From scores to advantages: shaped rewards, generalised advantage estimation, whitening. Pure functions.

C completions, L longest completion; `mask_CL` is 1 on a completion's tokens, stop token included, 0 behind them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


def shaped_rewards(
    *, scores_C: Tensor, logps_CL: Tensor, reference_logps_CL: Tensor, mask_CL: Tensor, beta: float
) -> Tensor:
    """-beta k1 at each token, plus the score at the last one; shape (C, L).

    k1 = log pi - log pi_ref of the sampled token, nats. Stiennon et al. (2020); Ouyang et al. (2022) eq. 2.
    """
    rewards_CL = -beta * (logps_CL - reference_logps_CL) * mask_CL
    last_C = mask_CL.sum(-1).long() - 1
    rows_C = torch.arange(len(scores_C))
    rewards_CL[rows_C, last_C] += scores_C
    return rewards_CL


class Advantages(NamedTuple):
    """What generalised advantage estimation gives."""

    advantages_CL: Tensor  # A, not yet whitened
    returns_CL: Tensor  # A + V, what the critic should have said


def generalised_advantages(
    *, rewards_CL: Tensor, values_CL: Tensor, mask_CL: Tensor, gamma: float, gae_lambda: float
) -> Advantages:
    """A_t = delta_t + gamma lambda A_{t+1}, delta_t = r_t + gamma V_{t+1} - V_t, with V = 0 behind the end.

    Schulman et al. (2016) eq. 16. lambda 1 gives Monte Carlo returns minus V, lambda 0 the TD error.
    """
    mask_CL = mask_CL.to(values_CL.dtype)
    values_CL = values_CL * mask_CL
    advantages_CL = torch.zeros_like(values_CL)
    next_values_C = next_advantages_C = values_CL.new_zeros(len(values_CL))
    for column in reversed(range(values_CL.shape[1])):
        deltas_C = rewards_CL[:, column] + gamma * next_values_C - values_CL[:, column]
        next_advantages_C = (deltas_C + gamma * gae_lambda * next_advantages_C) * mask_CL[:, column]
        next_values_C = values_CL[:, column]
        advantages_CL[:, column] = next_advantages_C
    return Advantages(advantages_CL, advantages_CL + values_CL)


def masked_mean(values_CL: Tensor, mask_CL: Tensor) -> Tensor:
    """Mean over the masked entries, a scalar."""
    return (values_CL * mask_CL).sum() / mask_CL.sum()


def masked_variance(values_CL: Tensor, mask_CL: Tensor) -> Tensor:
    """Population variance over the masked entries, a scalar."""
    return masked_mean((values_CL - masked_mean(values_CL, mask_CL)).square(), mask_CL)


def whitened(values_CL: Tensor, mask_CL: Tensor) -> Tensor:
    """Values with mean 0 and variance 1 over the whole mask, 0 outside it."""
    centred_CL = values_CL - masked_mean(values_CL, mask_CL)
    return centred_CL * torch.rsqrt(masked_variance(values_CL, mask_CL) + 1e-8) * mask_CL


def explained_variance(*, values_CL: Tensor, returns_CL: Tensor, mask_CL: Tensor) -> Tensor:
    """1 - Var(R - V) / Var(R): 1 for a perfect critic, 0 for a constant one, below 0 for a harmful one."""
    rest = masked_variance(returns_CL - values_CL, mask_CL)
    return 1 - rest / masked_variance(returns_CL, mask_CL).clamp(min=1e-8)
