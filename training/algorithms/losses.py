"""Every loss of a policy, as pure functions; those of reward models are in `reward_losses.py`.

Nothing else computes a loss.

P pairs, C completions, N completion tokens of a batch. Log-probabilities are in nats.
Losses come per pair, per completion or per token, unreduced: the caller divides a sum by the global count.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, relu


def sft_loss(*, logps_N: Tensor) -> Tensor:
    """Negative log-likelihood of demonstrated tokens, nats, shape (N,)."""
    return -logps_N


class PairLoss(Protocol):
    """A loss of the difference of two log-ratios if the chosen one is better; see `PAIR_LOSSES`."""

    def __call__(self, *, logits_P: Tensor, beta: float) -> Tensor: ...


def sigmoid_pair_loss(*, logits_P: Tensor, beta: float) -> Tensor:
    """-log s(beta h), shape (P,). Rafailov et al. (2023) eq. 7."""
    return -logsigmoid(beta * logits_P)


def ipo_pair_loss(*, logits_P: Tensor, beta: float) -> Tensor:
    """(h - 1 / (2 beta))², shape (P,). Azar et al. (2023) eq. 17.

    The paper sums log-ratios over a completion's tokens, TRL averages them: that is for the caller to choose.
    """
    return (logits_P - 1 / (2 * beta)).square()


def hinge_pair_loss(*, logits_P: Tensor, beta: float) -> Tensor:
    """max(0, 1 - beta h), shape (P,). Zhao et al. (2023), SLiC eq. 2, with the log-ratio for the likelihood."""
    return relu(1 - beta * logits_P)


PAIR_LOSSES: Final[dict[str, PairLoss]] = {
    "sigmoid": sigmoid_pair_loss,
    "ipo": ipo_pair_loss,
    "hinge": hinge_pair_loss,
}


def noisy_target(p_chosen_P: Tensor, *, label_smoothing: float, is_robust: bool = False) -> Tensor:
    """The weight of the chosen side in an expected loss p f(h) + (1 - p) f(-h), shape (P,).

    `p_chosen_P` is how likely the label is right before noise is thought of, 1 for a hard label; `label_smoothing` is
    the probability e that a label has its sides swapped. Conservative: (1-e) p + e (1-p), as in Mitchell (2023).
    Robust: (p - e) / (1 - 2e), which makes the expected loss over such noise that of clean labels, Chowdhury et al.
    (2024) eq. 12; for a hard label it lies above 1.
    """
    if is_robust:
        return (p_chosen_P - label_smoothing) / (1 - 2 * label_smoothing)
    return (1 - label_smoothing) * p_chosen_P + label_smoothing * (1 - p_chosen_P)


def expected_pair_loss(*, pair_loss: PairLoss, logits_P: Tensor, beta: float, target_P: Tensor) -> Tensor:
    """p f(h) + (1 - p) f(-h) with p = `target_P` from `noisy_target`, shape (P,)."""
    wins_P = target_P * pair_loss(logits_P=logits_P, beta=beta)
    return wins_P + (1 - target_P) * pair_loss(logits_P=-logits_P, beta=beta)


class RewardedLoss(NamedTuple):
    """Losses of P pairs and what the policy implicitly thinks of their two sides."""

    losses_P: Tensor  # with gradient
    chosen_rewards_P: Tensor  # implicit reward of the chosen completion, detached
    rejected_rewards_P: Tensor  # likewise of the rejected one


def dpo_loss(
    *,
    chosen_logps_P: Tensor,
    rejected_logps_P: Tensor,
    reference_chosen_logps_P: Tensor,
    reference_rejected_logps_P: Tensor,
    weights_P: Tensor,
    beta: float,
    target_P: Tensor | float = 1.0,
    pair_loss: PairLoss = sigmoid_pair_loss,
) -> RewardedLoss:
    """w E_p[f(beta, h)] with h = log(pi/pi_ref)(chosen) - log(pi/pi_ref)(rejected). Rafailov et al. (2023) eq. 7.

    All log-probabilities have shape (P,): sums over a completion's tokens, or means over them for the
    length-normalised form (Lambert et al., 2024, eq. 6). `weights_P` is the weight w of each judgment, `target_P`
    what `noisy_target` makes of its label. Rewards are beta log(pi / pi_ref).
    """
    chosen_ratios_P = chosen_logps_P - reference_chosen_logps_P
    rejected_ratios_P = rejected_logps_P - reference_rejected_logps_P
    losses_P = expected_pair_loss(
        pair_loss=pair_loss,
        logits_P=chosen_ratios_P - rejected_ratios_P,
        beta=beta,
        target_P=torch.as_tensor(target_P, dtype=chosen_ratios_P.dtype),
    )
    return RewardedLoss(weights_P * losses_P, beta * chosen_ratios_P.detach(), beta * rejected_ratios_P.detach())


def simpo_loss(
    *,
    chosen_mean_logps_P: Tensor,
    rejected_mean_logps_P: Tensor,
    weights_P: Tensor,
    beta: float,
    target_margin: float,
    target_P: Tensor | float = 1.0,
) -> RewardedLoss:
    """w E_p[-log s(beta (m_c - m_r) - gamma)], m the mean log-probability of a token. Meng et al. (2024) eq. 6.

    `target_margin` is gamma, in units of the reward beta m. There is no reference.
    """
    chosen_P, rejected_P = beta * chosen_mean_logps_P, beta * rejected_mean_logps_P
    losses_P = expected_pair_loss(
        pair_loss=sigmoid_pair_loss,
        logits_P=chosen_P - rejected_P - target_margin,
        beta=1.0,
        target_P=torch.as_tensor(target_P, dtype=chosen_P.dtype),
    )
    return RewardedLoss(weights_P * losses_P, chosen_P.detach(), rejected_P.detach())


def log_odds(mean_logps: Tensor) -> Tensor:
    """log(p / (1 - p)) of p = exp(mean log-probability of a token), any shape. Hong et al. (2024) eq. 4."""
    held = mean_logps.clamp(max=-1e-6)  # a certain token has infinite odds
    return held - torch.log(-torch.expm1(held))


def orpo_loss(
    *, chosen_mean_logps_P: Tensor, rejected_mean_logps_P: Tensor, weights_P: Tensor, odds_weight: float
) -> RewardedLoss:
    """w (-m_c - lambda log s(log odds(chosen) - log odds(rejected))), shape (P,). Hong et al. (2024) eq. 6 and 7.

    m is the mean log-probability of a completion's tokens, stop token included: the likelihood term counts the chosen
    reply's tokens and not the prompt's. Rewards are lambda m, as the paper's curves show them.
    """
    ratios_P = log_odds(chosen_mean_logps_P) - log_odds(rejected_mean_logps_P)
    losses_P = -chosen_mean_logps_P - odds_weight * logsigmoid(ratios_P)
    rewards = (odds_weight * logps_P.detach() for logps_P in (chosen_mean_logps_P, rejected_mean_logps_P))
    return RewardedLoss(weights_P * losses_P, *rewards)


def kl_baseline(mismatched_ratios_C: Tensor) -> Tensor:
    """max(0, mean of log(pi/pi_ref) over completions put to prompts that they do not answer), nats, detached, a scalar.

    KTO's estimate of KL(pi || pi_ref). Ethayarajh et al. (2024) section 4.1.
    """
    return mismatched_ratios_C.detach().mean().clamp(min=0)


class KTOLoss(NamedTuple):
    """Losses of C labelled completions."""

    losses_C: Tensor  # with gradient
    rewards_C: Tensor  # beta log(pi / pi_ref), detached


def kto_loss(
    *,
    logps_C: Tensor,
    reference_logps_C: Tensor,
    is_desirable_C: Tensor,
    baseline: Tensor,
    weights_C: Tensor,
    beta: float,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> KTOLoss:
    """w lambda_y (1 - v), v = s(±beta (r - z)), r = log(pi/pi_ref), + for a desirable one.

    Ethayarajh et al. (2024) eq. 8.

    Log-probabilities are sums over a completion's tokens, shape (C,); `is_desirable_C` is bool; `baseline` is z from
    `kl_baseline`, nats, without gradient. A policy equal to its reference has the loss lambda_y / 2.
    """
    ratios_C = logps_C - reference_logps_C
    signs_C = torch.where(is_desirable_C, 1.0, -1.0)
    scales_C = torch.where(is_desirable_C, desirable_weight, undesirable_weight)
    losses_C = scales_C * (1 - torch.sigmoid(beta * signs_C * (ratios_C - baseline)))
    return KTOLoss(weights_C * losses_C, beta * ratios_C.detach())


class PPOPolicyLoss(NamedTuple):
    """Losses of N tokens and what the monitors want to know."""

    losses_N: Tensor  # with gradient
    ratios_N: Tensor  # pi / pi_old, detached
    is_clipped_N: Tensor  # whether the clip holds the token back, bool


def ppo_policy_loss(
    *,
    logps_N: Tensor,
    old_logps_N: Tensor,
    advantages_N: Tensor,
    ratio_clip: float,
    importance_N: Tensor | float = 1.0,
) -> PPOPolicyLoss:
    """w max(-A r, -A clip(r, 1-c, 1+c)) with r = exp(logp - old logp). Schulman et al. (2017) eq. 7.

    `importance_N` is w of `truncated_importance_weights`, 1 where the trainer itself sampled.
    """
    ratios_N = torch.exp(logps_N - old_logps_N)
    free_N = -advantages_N * ratios_N
    held_N = -advantages_N * ratios_N.clamp(1 - ratio_clip, 1 + ratio_clip)
    losses_N = importance_N * torch.maximum(free_N, held_N)
    return PPOPolicyLoss(losses_N, ratios_N.detach(), (held_N > free_N).detach())


def truncated_importance_weights(*, old_logps_N: Tensor, sampler_logps_N: Tensor, cap: float) -> Tensor:
    """min(exp(old logp - sampler's logp), cap), detached, shape (N,).

    For rollouts of another engine, whose distribution is not quite the trainer's: its own log-probabilities are
    `sampler_logps_N`, the trainer's for the same weights `old_logps_N`. Ionides (2008); Yao et al. (2025) for PPO.
    """
    return torch.exp(old_logps_N - sampler_logps_N).clamp(max=cap).detach()


def ppo_value_loss(*, values_N: Tensor, old_values_N: Tensor, returns_N: Tensor, value_clip: float) -> Tensor:
    """½ max((V - R)², (V_old + clip(V - V_old, ±c) - R)²), shape (N,).

    The clipped form of Schulman et al.'s reference implementation of PPO2 (2017).
    """
    held_N = old_values_N + (values_N - old_values_N).clamp(-value_clip, value_clip)
    return 0.5 * torch.maximum((values_N - returns_N).square(), (held_N - returns_N).square())
