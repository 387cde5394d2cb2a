"""Estimators of KL(pi || pi_ref) from samples of pi, and the penalty that adapts to it. Pure functions."""

from __future__ import annotations

import torch
from torch import Tensor


def kl_k1(*, logps: Tensor, reference_logps: Tensor) -> Tensor:
    """log(pi / pi_ref): unbiased, large variance, may be negative. Schulman (2020), k1."""
    return logps - reference_logps


def kl_k2(*, logps: Tensor, reference_logps: Tensor) -> Tensor:
    """½ log²(pi / pi_ref): biased, small variance, never negative. Schulman (2020), k2."""
    return 0.5 * (logps - reference_logps).square()


def kl_k3(*, logps: Tensor, reference_logps: Tensor) -> Tensor:
    """pi_ref/pi - 1 - log(pi_ref/pi): unbiased and never negative. Schulman (2020), k3."""
    log_ratios = reference_logps - logps
    return torch.expm1(log_ratios) - log_ratios


def adapted_beta(*, beta: float, kl: float, target: float, num_completions: int, horizon: int) -> float:
    """beta · (1 + clip(kl/target - 1, ±0.2) · n/horizon). Ziegler et al. (2019) eq. 3; kl and target in nats."""
    error = max(-0.2, min(0.2, kl / target - 1))
    return beta * (1 + error * num_completions / horizon)
