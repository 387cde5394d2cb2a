"""AdamW, its learning-rate schedule and the clipped step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.algorithms.failures import TrainingFailure


def adamw(network: nn.Module, *, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW with decay on matrices only, betas (0.9, 0.99)."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.99), fused=True)


def scheduled_rate(step: int, *, peak: float, num_steps: int, warmup_steps: int, final: float) -> float:
    """Learning rate of step 0, 1, …: linear rise over `warmup_steps`, then linear decay to `final` × peak."""
    warmup_steps = min(warmup_steps, num_steps // 2)
    if step < warmup_steps:
        return peak * (step + 1) / (warmup_steps + 1)
    progress = (step - warmup_steps) / max(1, num_steps - 1 - warmup_steps)
    return peak * (1 - (1 - final) * min(1.0, progress))


def clipped_step(
    optimiser: torch.optim.Optimizer, network: nn.Module, *, learning_rate: float, max_grad_norm: float
) -> Tensor:
    """One optimiser step at `learning_rate`; returns the gradient's L2 norm before clipping.

    Raises `TrainingFailure` of kind not_a_number, with the weights untouched, if the gradient is not finite.
    """
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
    norm = nn.utils.clip_grad_norm_(network.parameters(), max_grad_norm)
    if not torch.isfinite(norm):
        advice = "Lower learning_rate, or resume from the last checkpoint with other data."
        raise TrainingFailure("not_a_number", f"The gradient's norm is {norm.item()}. {advice}")
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return norm
