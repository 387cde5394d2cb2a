"""Steps in fp32 for weights in half precision."""

from __future__ import annotations

import torch
from torch import nn

from training.algorithms.optimiser import AdamW, adamw, clipped_step


def network(dtype: torch.dtype) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(8, 4).to(dtype)


def step(made: nn.Linear, optimiser: AdamW, rate: float) -> float:
    made(torch.ones(1, 8, dtype=made.weight.dtype)).float().sum().backward()
    return clipped_step(optimiser, learning_rate=rate, max_grad_norm=1.0).item()


def test_steps_too_small_for_bfloat16_add_up() -> None:
    made = network(torch.bfloat16)
    made.weight.data.fill_(1.0)  # whose next neighbour below is 1 - 2**-8
    optimiser = adamw(made.parameters(), learning_rate=1e-4, weight_decay=0.0)
    step(made, optimiser, 1e-4)
    assert (made.weight == 1).all()
    for _ in range(40):
        step(made, optimiser, 1e-4)
    assert (made.weight == 1 - 2**-8).all()
    torch.testing.assert_close(optimiser.masters[made.weight], torch.full((4, 8), 1 - 41e-4), atol=1e-6, rtol=0)


def test_gradients_of_micro_batches_add_up_in_fp32() -> None:
    made = network(torch.bfloat16)
    optimiser = adamw(made.parameters(), learning_rate=1e-4, weight_decay=0.0)
    for scale in [1.0] + [2**-9] * 16:  # each of the small ones would vanish beside 1 in bfloat16
        (made.weight.sum() * scale).backward()
    assert made.weight.grad is None
    torch.testing.assert_close(optimiser.masters[made.weight].grad, torch.full((4, 8), 1 + 2**-5))


def test_state_and_masters_go_to_tensors_and_back() -> None:
    first, second = network(torch.bfloat16), network(torch.bfloat16)
    second.weight.data.zero_()
    optimisers = [adamw(made.parameters(), learning_rate=1e-3, weight_decay=0.0) for made in (first, second)]
    step(first, optimisers[0], 1e-3)
    optimisers[1].restore({name: tensor.clone() for name, tensor in optimisers[0].tensors().items()})
    for made, optimiser in zip((first, second), optimisers, strict=True):
        step(made, optimiser, 1e-3)
    assert torch.equal(first.weight, second.weight)
    assert torch.equal(optimisers[0].masters[first.weight], optimisers[1].masters[second.weight])


def test_fp32_weights_are_their_own_masters() -> None:
    made = network(torch.float32)
    optimiser = adamw(made.parameters(), learning_rate=1e-3, weight_decay=0.0)
    assert optimiser.masters == {}
    assert {id(p) for p in optimiser.parameters} == {id(p) for p in made.parameters()}
