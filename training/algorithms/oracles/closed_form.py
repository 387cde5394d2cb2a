"""Oracles of the pure functions: optima, identities and tables that papers and arithmetic give.

P pairs, C completions, L longest completion, K actions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from training.algorithms.advantages import generalised_advantages
from training.algorithms.divergence import kl_k1, kl_k2, kl_k3
from training.algorithms.logps import token_logps
from training.algorithms.losses import (
    PAIR_LOSSES,
    dpo_loss,
    expected_pair_loss,
    kto_loss,
    noisy_target,
    ppo_policy_loss,
)
from training.algorithms.oracles.check import Check
from training.algorithms.reward_losses import bradley_terry_loss


def two_actions() -> Iterator[Check]:
    """The log-ratio that minimises a loss where a share p of all labels prefers one of two actions, beta = 0.1."""
    for name, loss, p, smoothing, expected in (
        ("DPO, p = 0.8: ln(p / (1 - p)) / beta", "sigmoid", 0.8, 0.0, math.log(4) / 0.1),
        ("IPO, p = 0.8: (2p - 1) / (2 beta)", "ipo", 0.8, 0.0, 3.0),
        ("conservative DPO, p = 1, e = 0.1", "sigmoid", 1.0, 0.1, math.log(9) / 0.1),
    ):
        seen = optimal_log_ratio(loss, p=p, beta=0.1, label_smoothing=smoothing)
        yield Check(name=name, expected=expected, seen=seen, tolerance=1e-4)


def optimal_log_ratio(loss: str, *, p: float, beta: float, label_smoothing: float) -> float:
    """The minimum of p f(h) + (1 - p) f(-h) over h, where its slope by autograd in float64 changes its sign."""
    target_P = noisy_target(torch.ones(2, dtype=torch.float64), label_smoothing=label_smoothing)
    shares_P = torch.tensor([p, 1 - p], dtype=torch.float64)
    low, high = -100.0, 100.0
    for _ in range(60):
        middle = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        losses_P = expected_pair_loss(
            pair_loss=PAIR_LOSSES[loss], logits_P=torch.stack([middle, -middle]), beta=beta, target_P=target_P
        )
        (slope,) = torch.autograd.grad(shares_P @ losses_P, middle)
        low, high = (middle.item(), high) if slope < 0 else (low, middle.item())
    return (low + high) / 2


def first_losses() -> Iterator[Check]:
    """What each loss is before the first step, when the policy is its reference and all scores are 0."""
    zero = torch.zeros(1)
    for name, expected in (("sigmoid", math.log(2)), ("ipo", 25.0), ("hinge", 1.0)):
        result = dpo_loss(
            chosen_logps_P=zero - 3,
            rejected_logps_P=zero - 5,
            reference_chosen_logps_P=zero - 3,
            reference_rejected_logps_P=zero - 5,
            weights_P=torch.ones(1),
            beta=0.1,
            pair_loss=PAIR_LOSSES[name],
        )
        yield Check(name=f"first loss, {name}", expected=expected, seen=result.losses_P.item(), tolerance=1e-5)
    kto = kto_loss(
        logps_C=zero,
        reference_logps_C=zero,
        is_desirable_C=torch.tensor([True]),
        baseline=torch.zeros(()),
        weights_C=torch.ones(1),
        beta=0.1,
    )
    yield Check(name="first loss, KTO", expected=0.5, seen=kto.losses_C.item(), tolerance=1e-6)
    reward = bradley_terry_loss(chosen_scores_P=zero, rejected_scores_P=zero, weights_P=torch.ones(1))
    yield Check(name="first loss, reward model", expected=math.log(2), seen=reward.item(), tolerance=1e-6)
    ppo = ppo_policy_loss(logps_N=zero - 1, old_logps_N=zero - 1, advantages_N=torch.ones(1), ratio_clip=0.2)
    yield Check(name="first ratio, PPO", expected=1.0, seen=ppo.ratios_N.item(), tolerance=1e-6)
    clipped = ppo.is_clipped_N.float().mean().item()
    yield Check(name="first clip fraction, PPO", expected=0.0, seen=clipped, tolerance=0.0)


def bradley_terry_recovery() -> Iterator[Check]:
    """Scores that are fitted to the probabilities of known strengths are those strengths, up to a constant."""
    strengths_K = torch.tensor([-1.5, -0.2, 0.0, 0.7, 2.0], dtype=torch.float64)
    first, second = torch.combinations(torch.arange(5)).unbind(-1)
    p_P = torch.sigmoid(strengths_K[first] - strengths_K[second])
    scores_K = torch.zeros(5, dtype=torch.float64, requires_grad=True)

    def loss() -> Tensor:
        losses_P = bradley_terry_loss(
            chosen_scores_P=scores_K[first],
            rejected_scores_P=scores_K[second],
            weights_P=torch.ones(len(p_P)),
            p_chosen_P=p_P,
        )
        return losses_P.sum()

    minimise(loss, scores_K)
    found_K = scores_K.detach() - scores_K.detach().mean()
    error = (found_K - (strengths_K - strengths_K.mean())).abs().max().item()
    yield Check(name="Bradley–Terry recovers strengths, largest error", expected=0.0, seen=error, tolerance=1e-4)


def minimise(loss: Callable[[], Tensor], parameter: Tensor, *, num_rounds: int = 20) -> None:
    """L-BFGS to the end."""
    optimiser = torch.optim.LBFGS([parameter], max_iter=100, tolerance_grad=1e-14, tolerance_change=1e-16)

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    for _ in range(num_rounds):
        optimiser.step(closure)


def advantages_three_ways() -> Iterator[Check]:
    """GAE is the discounted sum of TD errors, Monte Carlo minus the value at lambda 1, the TD error at lambda 0."""
    generator = torch.Generator().manual_seed(0)
    rewards_CL, values_CL = torch.randn(2, 3, 6, generator=generator, dtype=torch.float64)
    next_values_CL = nn.functional.pad(values_CL[:, 1:], (0, 1))
    deltas_CL = rewards_CL + 0.9 * next_values_CL - values_CL
    for gae_lambda, name in ((1.0, "Monte Carlo"), (0.0, "TD error"), (0.7, "sum of TD errors")):
        found_CL = generalised_advantages(
            rewards_CL=rewards_CL,
            values_CL=values_CL,
            mask_CL=torch.ones(3, 6),
            gamma=0.9,
            gae_lambda=gae_lambda,
        ).advantages_CL
        terms_CL = rewards_CL if gae_lambda == 1 else deltas_CL
        sums_CL = discounted_sums(terms_CL, 0.9 * gae_lambda)
        expected_CL = sums_CL - values_CL if gae_lambda == 1 else sums_CL
        error = (found_CL - expected_CL).abs().max().item()
        yield Check(name=f"GAE against {name}, largest error", expected=0.0, seen=error, tolerance=1e-12)


def discounted_sums(terms_CL: Tensor, discount: float) -> Tensor:
    """sum over s >= t of discount^(s - t) terms_s, by a matrix of powers; shape (C, L)."""
    steps_L = torch.arange(terms_CL.shape[1], dtype=torch.float64)
    distances_LL = steps_L.unsqueeze(0) - steps_L.unsqueeze(1)  # s - t
    powers_LL = torch.where(distances_LL >= 0, discount ** distances_LL.clamp(min=0), 0.0)
    return terms_CL @ powers_LL.T


def kl_estimators() -> Iterator[Check]:
    """Schulman's table (2020): N(0.1, 1) against N(0, 1), KL 0.005; bias and deviation relative to it, on a grid."""
    x = torch.linspace(-9, 9, 200_001, dtype=torch.float64)
    weights = torch.softmax(-((x - 0.1) ** 2) / 2, dim=0)
    for estimator, bias, deviation in ((kl_k1, 0.0, 20.0), (kl_k2, 0.002, 1.42), (kl_k3, 0.0, 1.42)):
        values = estimator(logps=-((x - 0.1) ** 2) / 2, reference_logps=-(x**2) / 2)
        mean = (weights * values).sum()
        spread = (weights * (values - mean) ** 2).sum().sqrt()
        name = f"KL estimator {estimator.__name__.removeprefix('kl_')}"
        yield Check(name=f"{name}, bias", expected=bias, seen=mean.item() / 0.005 - 1, tolerance=6e-4)
        yield Check(name=f"{name}, deviation", expected=deviation, seen=spread.item() / 0.005, tolerance=0.01)


def regularised_bandit() -> Iterator[Check]:
    """Clipped PPO and DPO on one reward reach the same policy, pi_ref exp(r / beta) / Z."""
    beta = 0.5
    rewards_K = torch.tensor([1.0, 0.2, -0.4, 0.0], dtype=torch.float64)
    reference_K = torch.tensor([0.1, 0.4, 0.3, 0.2], dtype=torch.float64).log()
    optimum_K = torch.softmax(reference_K + rewards_K / beta, dim=0)
    by_ppo_K, by_dpo_K = ppo_on_bandit(rewards_K, reference_K, beta), dpo_on_bandit(rewards_K, reference_K, beta)
    for name, one_K, other_K in (
        ("bandit, PPO against the optimum", by_ppo_K, optimum_K),
        ("bandit, DPO against the optimum", by_dpo_K, optimum_K),
        ("bandit, PPO against DPO", by_ppo_K, by_dpo_K),
    ):
        distance = (one_K - other_K).abs().sum().item() / 2
        yield Check(name=f"{name}, total variation", expected=0.0, seen=distance, tolerance=1e-6)


def ppo_on_bandit(rewards_K: Tensor, reference_K: Tensor, beta: float) -> Tensor:
    """Probabilities after 400 rollouts that hold each action as often as it is likely, 4 clipped steps each."""
    logits_K = reference_K.clone().requires_grad_()
    for _ in range(400):
        old_K = torch.log_softmax(logits_K.detach(), dim=0)
        shaped_K = rewards_K - beta * (old_K - reference_K)
        advantages_K = shaped_K - old_K.exp() @ shaped_K
        for _ in range(4):
            result = ppo_policy_loss(
                logps_N=torch.log_softmax(logits_K, dim=0),
                old_logps_N=old_K,
                advantages_N=advantages_K,
                ratio_clip=0.2,
            )
            (gradient_K,) = torch.autograd.grad(old_K.exp() @ result.losses_N, logits_K)
            logits_K.data -= 0.5 * gradient_K
    return torch.softmax(logits_K.detach(), dim=0)


def dpo_on_bandit(rewards_K: Tensor, reference_K: Tensor, beta: float) -> Tensor:
    """Probabilities at the minimum of the DPO loss over all pairs, labels being those of Bradley and Terry."""
    first, second = torch.combinations(torch.arange(len(rewards_K))).unbind(-1)
    target_P = torch.sigmoid(rewards_K[first] - rewards_K[second])
    logits_K = reference_K.clone().requires_grad_()

    def loss() -> Tensor:
        logps_K = torch.log_softmax(logits_K, dim=0)
        return dpo_loss(
            chosen_logps_P=logps_K[first],
            rejected_logps_P=logps_K[second],
            reference_chosen_logps_P=reference_K[first],
            reference_rejected_logps_P=reference_K[second],
            weights_P=torch.ones(len(target_P), dtype=torch.float64),
            beta=beta,
            target_P=target_P,
        ).losses_P.sum()

    minimise(loss, logits_K)
    return torch.softmax(logits_K.detach(), dim=0)


def chunked_head() -> Iterator[Check]:
    """Log-probabilities and gradients of the chunked head against autograd in float64."""
    generator = torch.Generator().manual_seed(0)
    hidden_ND = torch.randn(64, 16, generator=generator)
    weight_VD = torch.randn(300, 16, generator=generator)
    targets_N = torch.randint(300, (64,), generator=generator)
    found, expected = (
        head_results(hidden_ND.to(dtype), weight_VD.to(dtype), targets_N, is_plain=is_plain)
        for dtype, is_plain in ((torch.float32, False), (torch.float64, True))
    )
    for name, one, other in zip(
        ("values", "gradient of hidden states", "gradient of weights"), found, expected, strict=True
    ):
        error = ((one - other).abs().max() / other.abs().max()).item()
        yield Check(name=f"chunked head, {name}, relative error", expected=0.0, seen=error, tolerance=2e-6)
    sizes = [1, 7, 56]
    pieces = zip(hidden_ND.split(sizes), targets_N.split(sizes), strict=True)
    parts = [head_results(piece_ND, weight_VD, piece_N, is_plain=False) for piece_ND, piece_N in pieces]
    together, apart = found[1], torch.cat([gradient_ND for _, gradient_ND, _ in parts])
    error = ((together - apart).abs().max() / together.abs().max()).item()
    yield Check(name="chunked head, in pieces, relative error", expected=0.0, seen=error, tolerance=2e-6)


def head_results(hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, *, is_plain: bool) -> list[Tensor]:
    """Log-probabilities, and the gradients of their sum of squares by hidden states and head."""
    head = nn.Linear(weight_VD.shape[1], weight_VD.shape[0], bias=False, dtype=weight_VD.dtype)
    head.weight.data.copy_(weight_VD)
    hidden_ND = hidden_ND.clone().requires_grad_()
    if is_plain:
        logps_N = torch.log_softmax(head(hidden_ND), dim=-1).gather(1, targets_N.unsqueeze(-1)).squeeze(-1)
    else:
        logps_N = token_logps(hidden_ND=hidden_ND, targets_N=targets_N, head=head).logps_N
    gradients = torch.autograd.grad(logps_N.square().sum(), [hidden_ND, head.weight])
    return [logps_N.detach(), *gradients]
