"""The chunked head against autograd in float64, whatever the size of its chunks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from training.algorithms import logps
from training.algorithms.logps import token_logps, token_logps_and_entropies

NUM_TOKENS, CHANNELS, VOCABULARY = 37, 12, 50


def parts() -> tuple[Tensor, nn.Linear, Tensor, Tensor]:
    torch.manual_seed(0)
    head = nn.Linear(CHANNELS, VOCABULARY, bias=False)
    hidden_ND = torch.randn(NUM_TOKENS, CHANNELS, requires_grad=True)
    return hidden_ND, head, torch.randint(VOCABULARY, (NUM_TOKENS,)), torch.randn(NUM_TOKENS)


def expected(temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    hidden_ND, head, targets_N, weights_N = parts()
    hidden_ND = hidden_ND.detach().double().requires_grad_()
    head = head.double()
    logps_NV = torch.log_softmax(head(hidden_ND) / temperature, dim=-1)
    logps_N = logps_NV[torch.arange(NUM_TOKENS), targets_N]
    (logps_N * weights_N).sum().backward()
    assert hidden_ND.grad is not None
    assert head.weight.grad is not None
    return logps_N.detach().float(), hidden_ND.grad.float(), head.weight.grad.float()


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("num_kept", [0, 2**26], ids=["made again", "kept"])
@pytest.mark.parametrize("chunk", [1, 900, 2**22])
def test_values_and_gradients_are_those_of_float64(
    monkeypatch: pytest.MonkeyPatch, temperature: float, num_kept: int, chunk: int
) -> None:
    monkeypatch.setattr(logps, "MAX_KEPT_LOGITS", num_kept)
    monkeypatch.setattr(logps, "CHUNK_LOGITS", chunk)
    hidden_ND, head, targets_N, weights_N = parts()
    found = token_logps(hidden_ND=hidden_ND, targets_N=targets_N, head=head, temperature=temperature)
    (found.logps_N * weights_N).sum().backward()
    logps_N, grad_hidden_ND, grad_weight_VD = expected(temperature)
    torch.testing.assert_close(found.logps_N, logps_N, atol=1e-5, rtol=0)
    torch.testing.assert_close(hidden_ND.grad, grad_hidden_ND, atol=1e-5, rtol=0)
    torch.testing.assert_close(head.weight.grad, grad_weight_VD, atol=1e-5, rtol=0)
    assert found.is_greedy_N.tolist() == (head(hidden_ND).argmax(-1) == targets_N).tolist()


def test_a_frozen_head_gets_no_gradient_and_the_hidden_states_the_same() -> None:
    hidden_ND, head, targets_N, weights_N = parts()
    head.requires_grad_(False)
    (token_logps(hidden_ND=hidden_ND, targets_N=targets_N, head=head).logps_N * weights_N).sum().backward()
    assert head.weight.grad is None
    torch.testing.assert_close(hidden_ND.grad, expected(1.0)[1], atol=1e-5, rtol=0)


def test_a_head_with_a_bias_is_applied_whole() -> None:
    hidden_ND, _, targets_N, _ = parts()
    head = nn.Linear(CHANNELS, VOCABULARY)
    found = token_logps(hidden_ND=hidden_ND, targets_N=targets_N, head=head)
    logps_N = torch.log_softmax(head(hidden_ND), dim=-1)[torch.arange(NUM_TOKENS), targets_N]
    torch.testing.assert_close(found.logps_N, logps_N)


def test_bfloat16_stays_near() -> None:
    hidden_ND, head, targets_N, _ = parts()
    found = token_logps(hidden_ND=hidden_ND.bfloat16(), targets_N=targets_N, head=head.bfloat16())
    torch.testing.assert_close(found.logps_N, expected(1.0)[0], atol=0.05, rtol=0)
    assert found.logps_N.dtype == torch.float32


@pytest.mark.parametrize("chunk", [1, 900, 2**22])
def test_entropies_come_with_the_log_probabilities_whatever_the_chunk(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(logps, "CHUNK_LOGITS", chunk)
    hidden_ND, head, targets_N, _ = parts()
    logps_N, entropies_N = token_logps_and_entropies(
        hidden_ND=hidden_ND, targets_N=targets_N, head=head, temperature=0.7
    )
    torch.testing.assert_close(logps_N, expected(0.7)[0], atol=1e-5, rtol=0)
    probabilities_NV = torch.softmax(head.double()(hidden_ND.double()) / 0.7, dim=-1)
    torch.testing.assert_close(entropies_N, torch.special.entr(probabilities_NV).sum(-1).float(), atol=1e-5, rtol=0)


def test_the_entropy_of_a_head_that_knows_nothing_is_the_logarithm_of_the_vocabulary() -> None:
    hidden_ND, head, targets_N, _ = parts()
    nn.init.zeros_(head.weight)
    _, entropies_N = token_logps_and_entropies(hidden_ND=hidden_ND, targets_N=targets_N, head=head)
    torch.testing.assert_close(entropies_N, torch.full((NUM_TOKENS,), math.log(VOCABULARY)))
