"""Expected values by hand, and the optima and step-0 identities of the papers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from training.algorithms.config import PAIR_LOSS_NAMES
from training.algorithms.losses import (
    PAIR_LOSSES,
    PairLoss,
    bradley_terry_loss,
    dpo_loss,
    hinge_pair_loss,
    ipo_pair_loss,
    ppo_policy_loss,
    ppo_value_loss,
    sft_loss,
    sigmoid_pair_loss,
)


def optimal_log_ratio(loss: PairLoss, *, p: float, beta: float, label_smoothing: float) -> float:
    """The h that minimises p f(h) + (1 - p) f(-h), by ternary search in float64; the losses are convex."""

    def expected(h: float) -> float:
        logits_P = torch.tensor([h, -h], dtype=torch.float64)
        losses_P = loss(logits_P=logits_P, beta=beta, label_smoothing=label_smoothing)
        return float(p * losses_P[0] + (1 - p) * losses_P[1])

    low, high = -100.0, 100.0
    for _ in range(300):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if expected(left) < expected(right) else (left, high)
    return (low + high) / 2


@pytest.mark.parametrize(
    ("loss", "p", "label_smoothing", "expected"),
    [
        (sigmoid_pair_loss, 0.8, 0.0, 13.8629),  # ln(.8/.2) / .1
        (sigmoid_pair_loss, 1.0, 0.1, 21.9722),  # ln(.9/.1) / .1
        (ipo_pair_loss, 0.8, 0.0, 3.0),  # (2p - 1) / (2 · .1)
        (hinge_pair_loss, 0.8, 0.0, 10.0),  # the kink at 1/.1
    ],
)
def test_the_optimum_over_two_actions_is_the_closed_form(
    loss: PairLoss, p: float, label_smoothing: float, expected: float
) -> None:
    found = optimal_log_ratio(loss, p=p, beta=0.1, label_smoothing=label_smoothing)
    assert found == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("name", "expected"), [("sigmoid", math.log(2)), ("ipo", 25.0), ("hinge", 1.0)])
def test_a_policy_equal_to_its_reference_has_the_identity_loss(name: str, expected: float) -> None:
    logps_P = torch.tensor([-3.0, -40.0])
    result = dpo_loss(
        chosen_logps_P=logps_P,
        rejected_logps_P=logps_P - 1,
        reference_chosen_logps_P=logps_P,
        reference_rejected_logps_P=logps_P - 1,
        weights_P=torch.ones(2),
        beta=0.1,
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
        label_smoothing=0.1,
    )
    # h = (-1 + 2) - (-5 + 3) = 3, beta h = 1.5
    expected = 2 * (0.9 * math.log(1 + math.exp(-1.5)) + 0.1 * math.log(1 + math.exp(1.5)))
    assert result.losses_P.item() == pytest.approx(expected, abs=1e-6)
    assert (result.chosen_rewards_P.item(), result.rejected_rewards_P.item()) == (0.5, -1.0)


def test_the_configuration_knows_every_pair_loss() -> None:
    assert tuple(PAIR_LOSSES) == PAIR_LOSS_NAMES


def bradley_terry(chosen: float, rejected: float, **settings: float) -> float:
    loss_P: Tensor = bradley_terry_loss(
        chosen_scores_P=torch.tensor([chosen]),
        rejected_scores_P=torch.tensor([rejected]),
        weights_P=torch.tensor([settings.pop("weight", 1.0)]),
        **settings,
    )
    return loss_P.item()


def test_bradley_terry_by_hand() -> None:
    assert bradley_terry(0.0, 0.0) == pytest.approx(math.log(2))
    assert bradley_terry(0.0, 0.0, label_smoothing=0.3) == pytest.approx(math.log(2))
    assert bradley_terry(2.0, 1.0) == pytest.approx(math.log(1 + math.exp(-1)))
    assert bradley_terry(2.0, 1.0, weight=0.25) == pytest.approx(0.25 * math.log(1 + math.exp(-1)))
    assert bradley_terry(2.0, 1.0, centring=0.01) == pytest.approx(math.log(1 + math.exp(-1)) + 0.01 * 9)


def test_bradley_terry_is_computed_in_single_precision_from_half_precision_scores() -> None:
    loss_P = bradley_terry_loss(
        chosen_scores_P=torch.tensor([1.0], dtype=torch.bfloat16),
        rejected_scores_P=torch.tensor([0.0], dtype=torch.bfloat16),
        weights_P=torch.ones(1),
    )
    assert loss_P.dtype == torch.float32


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
