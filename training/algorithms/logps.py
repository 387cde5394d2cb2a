"""Log-probabilities of tokens under a language-model head.

N completion tokens of a batch, D channels, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional


class TokenLogps(NamedTuple):
    """What the head says about N tokens."""

    logps_N: Tensor  # log pi(token | everything before it), nats, with gradient
    is_greedy_N: Tensor  # whether the token is the likeliest one, bool


def token_logps(*, hidden_ND: Tensor, targets_N: Tensor, head: nn.Module, temperature: float = 1.0) -> TokenLogps:
    """log softmax(head(hidden_ND) / temperature)[targets_N], in fp32, nats.

    `temperature` is the sampler's, so that the trained distribution is the one that was sampled.
    """
    logits_NV: Tensor = head(hidden_ND).float() / temperature
    logps_N = -functional.cross_entropy(logits_NV, targets_N, reduction="none")
    return TokenLogps(logps_N, logits_NV.detach().argmax(-1) == targets_N)


def token_entropy(*, hidden_ND: Tensor, head: nn.Module, temperature: float = 1.0) -> Tensor:
    """-sum_v p_v log p_v of each next-token distribution, nats, shape (N,)."""
    logps_NV = torch.log_softmax(head(hidden_ND).float() / temperature, dim=-1)
    return -(logps_NV.exp() * logps_NV).sum(-1)
