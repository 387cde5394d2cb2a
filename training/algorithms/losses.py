"""Every loss of this package, as pure functions. Nothing else computes a loss.

P pairs, C completions, T token positions of a padded completion, N completion tokens of a batch.
Losses come per pair or per token, unreduced: the caller divides a sum by the global count.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, relu


def sft_loss(*, logps_N: Tensor) -> Tensor:
    """Negative log-likelihood of demonstrated tokens, nats, shape (N,)."""
    return -logps_N


def bradley_terry_loss(
    *,
    chosen_scores_P: Tensor,
    rejected_scores_P: Tensor,
    weights_P: Tensor,
    label_smoothing: float = 0.0,
    centring: float = 0.0,
) -> Tensor:
    """-w [(1-e) log s(d) + e log s(-d)] + w c (r_c + r_r)², with d = r_c - r_r; shape (P,).

    Bradley and Terry (1952); Ouyang et al. (2022) eq. 1; the centring term is Eisenstein et al. (2023).
    With equal scores the loss is ln 2 whatever the smoothing.
    """
    margins_P = chosen_scores_P.float() - rejected_scores_P.float()
    losses_P = sigmoid_pair_loss(logits_P=margins_P, beta=1.0, label_smoothing=label_smoothing)
    return weights_P * (losses_P + centring * (chosen_scores_P + rejected_scores_P).float().square())


class PairLoss(Protocol):
    """A loss of the difference of two log-ratios; every entry of `PAIR_LOSSES` has this shape."""

    def __call__(self, *, logits_P: Tensor, beta: float, label_smoothing: float) -> Tensor: ...


def sigmoid_pair_loss(*, logits_P: Tensor, beta: float, label_smoothing: float) -> Tensor:
    """-(1-e) log s(beta h) - e log s(-beta h), shape (P,).

    Rafailov et al. (2023) eq. 7; label smoothing as in conservative DPO (Mitchell, 2023).
    """
    wins_P, losses_P = logsigmoid(beta * logits_P), logsigmoid(-beta * logits_P)
    return -(1 - label_smoothing) * wins_P - label_smoothing * losses_P


def ipo_pair_loss(*, logits_P: Tensor, beta: float, label_smoothing: float) -> Tensor:
    """(h - 1 / (2 beta))², shape (P,), on summed log-ratios. Azar et al. (2023) eq. 17; smoothing mixes in h -> -h."""
    target = 1 / (2 * beta)
    return (1 - label_smoothing) * (logits_P - target).square() + label_smoothing * (logits_P + target).square()


def hinge_pair_loss(*, logits_P: Tensor, beta: float, label_smoothing: float) -> Tensor:
    """max(0, 1 - beta h), shape (P,). Zhao et al. (2023), SLiC; smoothing mixes in h -> -h."""
    return (1 - label_smoothing) * relu(1 - beta * logits_P) + label_smoothing * relu(1 + beta * logits_P)


PAIR_LOSSES: Final[dict[str, PairLoss]] = {
    "sigmoid": sigmoid_pair_loss,
    "ipo": ipo_pair_loss,
    "hinge": hinge_pair_loss,
}


class DPOLoss(NamedTuple):
    """Losses and implicit rewards of P pairs."""

    losses_P: Tensor  # with gradient
    chosen_rewards_P: Tensor  # beta log(pi / pi_ref) of the chosen completion, detached
    rejected_rewards_P: Tensor  # likewise of the rejected one


def dpo_loss(
    *,
    chosen_logps_P: Tensor,
    rejected_logps_P: Tensor,
    reference_chosen_logps_P: Tensor,
    reference_rejected_logps_P: Tensor,
    weights_P: Tensor,
    beta: float,
    label_smoothing: float = 0.0,
    pair_loss: PairLoss = sigmoid_pair_loss,
) -> DPOLoss:
    """w f(beta, h) with h = log(pi/pi_ref)(chosen) - log(pi/pi_ref)(rejected).

    All log-probabilities are sums over the completion's tokens, nats, shape (P,). `weights_P` is the
    weight of each judgment. Rafailov et al. (2023).
    """
    chosen_ratios_P = chosen_logps_P - reference_chosen_logps_P
    rejected_ratios_P = rejected_logps_P - reference_rejected_logps_P
    losses_P = pair_loss(logits_P=chosen_ratios_P - rejected_ratios_P, beta=beta, label_smoothing=label_smoothing)
    return DPOLoss(
        losses_P=weights_P * losses_P,
        chosen_rewards_P=beta * chosen_ratios_P.detach(),
        rejected_rewards_P=beta * rejected_ratios_P.detach(),
    )


class PPOPolicyLoss(NamedTuple):
    """Losses of N tokens and what the monitors want to know."""

    losses_N: Tensor  # with gradient
    ratios_N: Tensor  # pi / pi_old, detached
    is_clipped_N: Tensor  # whether the clip holds the token back, bool


def ppo_policy_loss(*, logps_N: Tensor, old_logps_N: Tensor, advantages_N: Tensor, ratio_clip: float) -> PPOPolicyLoss:
    """max(-A r, -A clip(r, 1-c, 1+c)) with r = exp(logp - old logp). Schulman et al. (2017) eq. 7."""
    ratios_N = torch.exp(logps_N - old_logps_N)
    free_N = -advantages_N * ratios_N
    held_N = -advantages_N * ratios_N.clamp(1 - ratio_clip, 1 + ratio_clip)
    return PPOPolicyLoss(torch.maximum(free_N, held_N), ratios_N.detach(), (held_N > free_N).detach())


def ppo_value_loss(*, values_N: Tensor, old_values_N: Tensor, returns_N: Tensor, value_clip: float) -> Tensor:
    """½ max((V - R)², (V_old + clip(V - V_old, ±c) - R)²), shape (N,).

    The clipped form of Schulman et al.'s reference implementation of PPO2 (2017).
    """
    held_N = old_values_N + (values_N - old_values_N).clamp(-value_clip, value_clip)
    return 0.5 * torch.maximum((values_N - returns_N).square(), (held_N - returns_N).square())
