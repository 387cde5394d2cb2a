"""Generalised advantages three ways, shaped rewards and whitening by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from training.algorithms.advantages import (
    explained_variance,
    generalised_advantages,
    masked_mean,
    masked_variance,
    shaped_rewards,
    whitened,
)

MASK_CL = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]])


def random_case() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    rewards_CL = torch.randn(2, 4, generator=generator, dtype=torch.float64) * MASK_CL
    return rewards_CL, torch.randn(2, 4, generator=generator, dtype=torch.float64)


def advantages(rewards_CL: Tensor, values_CL: Tensor, *, gamma: float, gae_lambda: float) -> Tensor:
    return generalised_advantages(
        rewards_CL=rewards_CL, values_CL=values_CL, mask_CL=MASK_CL, gamma=gamma, gae_lambda=gae_lambda
    ).advantages_CL


def test_lambda_one_is_the_monte_carlo_return_minus_the_value() -> None:
    rewards_CL, values_CL = random_case()
    found_CL = advantages(rewards_CL, values_CL, gamma=0.9, gae_lambda=1.0)
    for row, length in ((0, 4), (1, 2)):
        for start in range(length):
            powers = 0.9 ** torch.arange(length - start, dtype=torch.float64)
            expected = (powers * rewards_CL[row, start:length]).sum() - values_CL[row, start]
            torch.testing.assert_close(found_CL[row, start], expected)


def test_lambda_zero_is_the_temporal_difference() -> None:
    rewards_CL, values_CL = random_case()
    found_CL = advantages(rewards_CL, values_CL, gamma=0.9, gae_lambda=0.0)
    for row, length in ((0, 4), (1, 2)):
        for t in range(length):
            following = values_CL[row, t + 1] if t + 1 < length else torch.tensor(0.0, dtype=torch.float64)
            torch.testing.assert_close(found_CL[row, t], rewards_CL[row, t] + 0.9 * following - values_CL[row, t])


def test_any_lambda_is_the_discounted_sum_of_temporal_differences() -> None:
    rewards_CL, values_CL = random_case()
    deltas_CL = advantages(rewards_CL, values_CL, gamma=0.9, gae_lambda=0.0)
    found_CL = advantages(rewards_CL, values_CL, gamma=0.9, gae_lambda=0.7)
    for t in range(4):
        powers = 0.63 ** torch.arange(4 - t, dtype=torch.float64)
        torch.testing.assert_close(found_CL[0, t], (powers * deltas_CL[0, t:]).sum())


def test_returns_are_advantages_plus_values_and_nothing_lies_behind_the_end() -> None:
    rewards_CL, values_CL = random_case()
    result = generalised_advantages(
        rewards_CL=rewards_CL, values_CL=values_CL, mask_CL=MASK_CL, gamma=1.0, gae_lambda=0.95
    )
    torch.testing.assert_close(result.returns_CL, (result.advantages_CL + values_CL) * MASK_CL)
    assert result.advantages_CL[1, 2:].tolist() == [0.0, 0.0]


def test_the_score_lands_on_the_last_token_and_kl_on_every_one() -> None:
    rewards_CL = shaped_rewards(
        scores_C=torch.tensor([5.0, 7.0]),
        logps_CL=torch.tensor([[-1.0, -1.0, -1.0, -1.0], [-2.0, -1.0, 9.0, 9.0]]),
        reference_logps_CL=torch.tensor([[-1.0, -2.0, -1.0, -1.0], [-1.0, -1.0, 0.0, 0.0]]),
        mask_CL=MASK_CL,
        beta=0.5,
    )
    torch.testing.assert_close(rewards_CL, torch.tensor([[0.0, -0.5, 0.0, 5.0], [0.5, 7.0, 0.0, 0.0]]))


def test_whitening_looks_at_the_mask_only() -> None:
    values_CL = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 1e6, -1e6]])
    white_CL = whitened(values_CL, MASK_CL)
    assert masked_mean(white_CL, MASK_CL).item() == pytest.approx(0.0, abs=1e-6)
    assert masked_variance(white_CL, MASK_CL).item() == pytest.approx(1.0, abs=1e-5)
    assert white_CL[1, 2:].tolist() == [0.0, 0.0]


def test_explained_variance_of_a_perfect_a_constant_and_a_harmful_critic() -> None:
    returns_CL = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 0.0, 0.0]])
    for values_CL, expected in ((returns_CL, 1.0), (torch.ones(2, 4), 0.0), (-returns_CL, -3.0)):
        found = explained_variance(values_CL=values_CL, returns_CL=returns_CL, mask_CL=MASK_CL)
        assert found.item() == pytest.approx(expected, abs=1e-5)
