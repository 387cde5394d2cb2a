"""Expected values by hand, and the optima and step-0 identities of the papers."""

from __future__ import annotations

import math

import pytest
import torch

from training.algorithms.config import PAIR_LOSS_NAMES
from training.algorithms.losses import (
    PAIR_LOSSES,
    PairLoss,
    dpo_loss,
    expected_pair_loss,
    hinge_pair_loss,
    ipo_pair_loss,
    kl_baseline,
    kto_loss,
    log_odds,
    noisy_target,
    orpo_loss,
    ppo_policy_loss,
    ppo_value_loss,
    sft_loss,
    sigmoid_pair_loss,
    simpo_loss,
    truncated_importance_weights,
)

ONE = torch.ones(1)


def optimal_log_ratio(loss: PairLoss, *, p: float, beta: float, label_smoothing: float, is_robust: bool) -> float:
    """The h that minimises the loss expected where p of all labels prefer the first, by ternary search in float64."""
    shares_P = torch.tensor([p, 1 - p], dtype=torch.float64)
    targets_P = noisy_target(torch.ones(2, dtype=torch.float64), label_smoothing=label_smoothing, is_robust=is_robust)

    def expected(h: float) -> float:
        logits_P = torch.tensor([h, -h], dtype=torch.float64)
        losses_P = expected_pair_loss(pair_loss=loss, logits_P=logits_P, beta=beta, target_P=targets_P)
        return float(shares_P @ losses_P)

    low, high = -100.0, 100.0
    for _ in range(300):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if expected(left) < expected(right) else (left, high)
    return (low + high) / 2


@pytest.mark.parametrize(
    ("loss", "p", "label_smoothing", "is_robust", "expected"),
    [
        (sigmoid_pair_loss, 0.8, 0.0, False, 13.8629),  # ln(.8/.2) / .1
        (sigmoid_pair_loss, 1.0, 0.1, False, 21.9722),  # ln(.9/.1) / .1
        (sigmoid_pair_loss, 0.74, 0.1, True, 13.8629),  # .74 = .8 · .9 + .2 · .1: the noise is seen through
        (ipo_pair_loss, 0.8, 0.0, False, 3.0),  # (2p - 1) / (2 · .1)
        (hinge_pair_loss, 0.8, 0.0, False, 10.0),  # the kink at 1/.1
    ],
)
def test_the_optimum_over_two_actions_is_the_closed_form(
    loss: PairLoss, p: float, label_smoothing: float, is_robust: bool, expected: float
) -> None:
    found = optimal_log_ratio(loss, p=p, beta=0.1, label_smoothing=label_smoothing, is_robust=is_robust)
    assert found == pytest.approx(expected, abs=1e-3)


def test_a_soft_label_has_the_optimum_of_as_many_hard_ones() -> None:
    logits_P = torch.tensor([13.862944], dtype=torch.float64, requires_grad=True)
    target_P = noisy_target(torch.tensor([0.8], dtype=torch.float64), label_smoothing=0.0)
    expected_pair_loss(pair_loss=sigmoid_pair_loss, logits_P=logits_P, beta=0.1, target_P=target_P).backward()
    assert logits_P.grad is not None
    assert logits_P.grad.item() == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize(("name", "expected"), [("sigmoid", math.log(2)), ("ipo", 25.0), ("hinge", 1.0)])
def test_a_policy_equal_to_its_reference_has_the_identity_loss(name: str, expected: float) -> None:
    logps_P = torch.tensor([-3.0, -40.0])
    for target in (1.0, 0.7, 1.125):
        result = dpo_loss(
            chosen_logps_P=logps_P,
            rejected_logps_P=logps_P - 1,
            reference_chosen_logps_P=logps_P,
            reference_rejected_logps_P=logps_P - 1,
            weights_P=torch.ones(2),
            beta=0.1,
            target_P=target,
            pair_loss=PAIR_LOSSES[name],
        )
        torch.testing.assert_close(result.losses_P, torch.full((2,), expected))
        assert result.chosen_rewards_P.tolist() == result.rejected_rewards_P.tolist() == [0.0, 0.0]


def test_dpo_by_hand() -> None:
    result = dpo_loss(
        chosen_logps_P=torch.tensor([-1.0]),
        rejected_logps_P=torch.tensor([-5.0]),
        reference_chosen_logps_P=torch.tensor([-2.0]),
        reference_rejected_logps_P=torch.tensor([-3.0]),
        weights_P=torch.tensor([2.0]),
        beta=0.5,
        target_P=noisy_target(ONE, label_smoothing=0.1),
    )
    # h = (-1 + 2) - (-5 + 3) = 3, beta h = 1.5
    expected = 2 * (0.9 * math.log(1 + math.exp(-1.5)) + 0.1 * math.log(1 + math.exp(1.5)))
    assert result.losses_P.item() == pytest.approx(expected, abs=1e-6)
    assert (result.chosen_rewards_P.item(), result.rejected_rewards_P.item()) == (0.5, -1.0)


def test_the_robust_loss_by_hand() -> None:
    target_P = noisy_target(ONE, label_smoothing=0.2, is_robust=True)  # (1 - .2) / .6 = 4/3
    found = expected_pair_loss(pair_loss=hinge_pair_loss, logits_P=torch.tensor([0.5]), beta=1.0, target_P=target_P)
    assert found.item() == pytest.approx(4 / 3 * 0.5 - 1 / 3 * 1.5)


def test_simpo_by_hand() -> None:
    result = simpo_loss(
        chosen_mean_logps_P=torch.tensor([-0.5]),
        rejected_mean_logps_P=torch.tensor([-1.5]),
        weights_P=torch.tensor([3.0]),
        beta=2.0,
        target_margin=0.5,
    )
    # 2 (-.5 + 1.5) - .5 = 1.5
    assert result.losses_P.item() == pytest.approx(3 * math.log(1 + math.exp(-1.5)), abs=1e-6)
    assert (result.chosen_rewards_P.item(), result.rejected_rewards_P.item()) == (-1.0, -3.0)


def test_orpo_by_hand() -> None:
    chosen_P, rejected_P = torch.tensor([math.log(0.8)]), torch.tensor([math.log(0.5)])
    assert log_odds(chosen_P).item() == pytest.approx(math.log(4), abs=1e-6)
    assert math.isfinite(log_odds(torch.zeros(1)).item())
    result = orpo_loss(chosen_mean_logps_P=chosen_P, rejected_mean_logps_P=rejected_P, weights_P=ONE, odds_weight=0.1)
    # odds 4 against 1: s(ln 4) = .8
    assert result.losses_P.item() == pytest.approx(-math.log(0.8) - 0.1 * math.log(0.8), abs=1e-6)


def kto(logps: list[float], is_desirable: list[bool], baseline: float = 0.0, **weights: float) -> list[float]:
    result = kto_loss(
        logps_C=torch.tensor(logps),
        reference_logps_C=torch.full((len(logps),), -2.0),
        is_desirable_C=torch.tensor(is_desirable),
        baseline=torch.tensor(baseline),
        weights_C=torch.ones(len(logps)),
        beta=0.5,
        **weights,
    )
    losses: list[float] = result.losses_C.tolist()
    return losses


def test_kto_by_hand() -> None:
    assert kto([-2.0, -2.0], [True, False]) == [0.5, 0.5]  # a policy equal to its reference
    # r = 3, z = 1, beta (r - z) = 1: s(-1) for a desirable one, s(1) for an undesirable one
    wanted = 1 / (1 + math.exp(1)), 1 / (1 + math.exp(-1))
    assert kto([1.0, 1.0], [True, False], 1.0) == pytest.approx(wanted)
    weighted = kto([1.0, 1.0], [True, False], 1.0, desirable_weight=2.0, undesirable_weight=3.0)
    assert weighted == pytest.approx((2 * wanted[0], 3 * wanted[1]))


def test_the_baseline_of_kto_is_a_mean_that_is_not_negative_and_has_no_gradient() -> None:
    ratios_C = torch.tensor([1.0, 2.0], requires_grad=True)
    assert kl_baseline(ratios_C).item() == 1.5
    assert not kl_baseline(ratios_C).requires_grad
    assert kl_baseline(-ratios_C).item() == 0.0


def test_the_configuration_knows_every_pair_loss() -> None:
    assert tuple(PAIR_LOSSES) == PAIR_LOSS_NAMES


def test_sft_is_the_negative_log_likelihood() -> None:
    assert sft_loss(logps_N=torch.tensor([-0.5, -2.0])).tolist() == [0.5, 2.0]


def test_ppo_at_ratio_one_is_minus_the_advantage_and_clips_nothing() -> None:
    logps_N = torch.tensor([-1.0, -2.0])
    result = ppo_policy_loss(
        logps_N=logps_N, old_logps_N=logps_N, advantages_N=torch.tensor([3.0, -1.0]), ratio_clip=0.2
    )
    assert result.losses_N.tolist() == [-3.0, 1.0]
    assert result.ratios_N.tolist() == [1.0, 1.0]
    assert result.is_clipped_N.tolist() == [False, False]


def test_ppo_clips_only_what_would_gain_from_going_further() -> None:
    ratios = torch.tensor([1.5, 1.5, 0.5, 0.5])
    result = ppo_policy_loss(
        logps_N=ratios.log(),
        old_logps_N=torch.zeros(4),
        advantages_N=torch.tensor([1.0, -1.0, 1.0, -1.0]),
        ratio_clip=0.2,
    )
    torch.testing.assert_close(result.losses_N, torch.tensor([-1.2, 1.5, -0.5, 0.8]))
    assert result.is_clipped_N.tolist() == [True, False, False, True]


def test_the_value_loss_takes_the_worse_of_free_and_clipped() -> None:
    losses_N = ppo_value_loss(
        values_N=torch.tensor([1.0, 0.1]),
        old_values_N=torch.zeros(2),
        returns_N=torch.tensor([1.0, 1.0]),
        value_clip=0.2,
    )
    # first: clipped to 0.2, ½ (0.2 - 1)² = 0.32; second: within the clip, ½ 0.9² = 0.405
    torch.testing.assert_close(losses_N, torch.tensor([0.32, 0.405]))


def test_importance_weights_lead_from_the_sampler_to_the_trainer_and_are_cut_off() -> None:
    old_N, sampler_N = torch.tensor([-1.0, -1.0, -1.0]), torch.tensor([-1.0, -1.0 + math.log(2), -9.0])
    weights_N = truncated_importance_weights(old_logps_N=old_N, sampler_logps_N=sampler_N, cap=3.0)
    torch.testing.assert_close(weights_N, torch.tensor([1.0, 0.5, 3.0]))
    result = ppo_policy_loss(
        logps_N=old_N, old_logps_N=old_N, advantages_N=torch.ones(3), ratio_clip=0.2, importance_N=weights_N
    )
    torch.testing.assert_close(result.losses_N, -weights_N)
