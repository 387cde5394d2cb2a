"""Schulman's table: N(0.1, 1) against N(0, 1), where KL is 0.005 nats."""

from __future__ import annotations

import pytest
import torch

from training.algorithms.divergence import adapted_beta, kl_k1, kl_k2, kl_k3

MU, KL = 0.1, 0.005


def test_the_estimators_have_the_bias_and_deviation_of_schulmans_table() -> None:
    # q = N(0.1, 1) is sampled, p = N(0, 1) is the reference; a grid integrates exactly where samples would be noisy.
    x = torch.linspace(-9, 9, 200_001, dtype=torch.float64)
    weights = torch.exp(-((x - MU) ** 2) / 2)
    weights /= weights.sum()
    logps, reference_logps = -((x - MU) ** 2) / 2, -(x**2) / 2
    for estimator, bias, deviation in ((kl_k1, 0.0, 20.0), (kl_k2, 0.002, 1.42), (kl_k3, 0.0, 1.42)):
        values = estimator(logps=logps, reference_logps=reference_logps)
        mean = (weights * values).sum().item()
        spread = (weights * (values - mean) ** 2).sum().sqrt().item()
        assert mean / KL - 1 == pytest.approx(bias, abs=6e-4), estimator.__name__
        assert spread / KL == pytest.approx(deviation, abs=0.01), estimator.__name__


def test_k3_and_k2_are_never_negative() -> None:
    logps, reference_logps = torch.tensor([-1.0, -3.0]), torch.tensor([-2.0, -1.0])
    assert (kl_k1(logps=logps, reference_logps=reference_logps) < 0).any()
    assert (kl_k2(logps=logps, reference_logps=reference_logps) > 0).all()
    assert (kl_k3(logps=logps, reference_logps=reference_logps) > 0).all()


def test_beta_rises_above_the_target_falls_below_it_and_never_jumps() -> None:
    def adapted(kl: float) -> float:
        return adapted_beta(beta=0.1, kl=kl, target=6.0, num_completions=100, horizon=1000)

    assert adapted(6.0) == pytest.approx(0.1)
    assert adapted(6.6) == pytest.approx(0.1 * (1 + 0.1 * 0.1))
    assert adapted(1000.0) == pytest.approx(0.1 * (1 + 0.2 * 0.1))
    assert adapted(0.0) == pytest.approx(0.1 * (1 - 0.2 * 0.1))
