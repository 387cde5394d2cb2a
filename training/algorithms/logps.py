"""Log-probabilities of tokens under a language-model head.

N completion tokens of a batch, D channels, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

CHUNK_LOGITS: Final = 2**22  # logits made at a time on a CPU: they fit a cache
CUDA_CHUNK_LOGITS: Final = 2**26  # and on a GPU: they fill it
MAX_KEPT_LOGITS: Final = 2**26  # kept for the gradient at most; beyond that they are made again


class TokenLogps(NamedTuple):
    """What the head says about N tokens."""

    logps_N: Tensor  # log pi(token | everything before it), nats, with gradient
    is_greedy_N: Tensor  # whether the token is the likeliest one, bool


def token_logps(*, hidden_ND: Tensor, targets_N: Tensor, head: nn.Module, temperature: float = 1.0) -> TokenLogps:
    """log softmax(head(hidden_ND) / temperature)[targets_N], in fp32, nats.

    `temperature` is the sampler's, so that the trained distribution is the one that was sampled. A plain linear head
    is applied in chunks: there is never more than one table of logits, and a frozen head costs no gradient.
    """
    if type(head) is nn.Linear and head.bias is None:
        return TokenLogps(*ChunkedLogps.apply(hidden_ND, head.weight, targets_N, temperature))
    logits_NV: Tensor = head(hidden_ND).float() / temperature
    logps_N = -functional.cross_entropy(logits_NV, targets_N, reduction="none")
    return TokenLogps(logps_N, logits_NV.detach().argmax(-1) == targets_N)


class ChunkedLogps(torch.autograd.Function):
    """Head, softmax and choice of the targets, chunk by chunk.

    With z = h W' / t and p = softmax(z), d log p[target] = (onehot(target) - p) dz.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden_ND: Tensor, weight_VD: Tensor, targets_N: Tensor, temperature: float
    ) -> tuple[Tensor, Tensor]:
        """Log-probabilities (N,) in fp32, and whether each target is the likeliest token (N,)."""
        logps_N = torch.empty(len(targets_N), dtype=torch.float32, device=hidden_ND.device)
        is_greedy_N = torch.empty(len(targets_N), dtype=torch.bool, device=hidden_ND.device)
        is_kept = any(ctx.needs_input_grad) and len(targets_N) * len(weight_VD) <= MAX_KEPT_LOGITS
        kept = []
        for chunk in chunks(len(targets_N), weight_VD):
            chances_nV, logps_N[chunk], is_greedy_N[chunk] = likelihoods(
                hidden_ND[chunk], weight_VD, targets_N[chunk], temperature
            )
            if is_kept:
                kept.append(chances_nV.to(weight_VD.dtype))
        ctx.save_for_backward(hidden_ND, weight_VD, targets_N)
        ctx.kept, ctx.temperature = kept, temperature
        ctx.mark_non_differentiable(is_greedy_N)
        return logps_N, is_greedy_N

    @staticmethod
    def backward(ctx: Any, grad_N: Tensor, _: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Gradients of the hidden states and, unless it is frozen, of the head."""
        hidden_ND, weight_VD, targets_N = ctx.saved_tensors
        wants_hidden, wants_weight = ctx.needs_input_grad[:2]
        grad_hidden_ND = torch.empty_like(hidden_ND) if wants_hidden else None
        grad_weight_VD = torch.zeros_like(weight_VD, dtype=torch.float32) if wants_weight else None
        for number, chunk in enumerate(chunks(len(targets_N), weight_VD)):
            if ctx.kept:
                chances_nV = ctx.kept[number]
            else:
                chances_nV, _, _ = likelihoods(hidden_ND[chunk], weight_VD, targets_N[chunk], ctx.temperature)
                chances_nV = chances_nV.to(weight_VD.dtype)
            scale_n = (grad_N[chunk] / ctx.temperature).to(chances_nV.dtype)
            grad_nV = chances_nV.mul_(-scale_n.unsqueeze(-1))
            grad_nV[torch.arange(len(scale_n), device=scale_n.device), targets_N[chunk]] += scale_n
            if grad_hidden_ND is not None:
                torch.mm(grad_nV, weight_VD, out=grad_hidden_ND[chunk])
            if grad_weight_VD is not None:
                add_product(grad_weight_VD, grad_nV, hidden_ND[chunk])
        ctx.kept = []
        return grad_hidden_ND, None if grad_weight_VD is None else grad_weight_VD.to(weight_VD.dtype), None, None


def likelihoods(
    hidden_nD: Tensor, weight_VD: Tensor, targets_n: Tensor, temperature: float
) -> tuple[Tensor, Tensor, Tensor]:
    """softmax (n, V), log-probabilities of the targets (n,), and whether they are the likeliest (n,); in fp32."""
    scores_nV = (hidden_nD @ weight_VD.T).float()
    if temperature != 1.0:
        scores_nV /= temperature
    highest_n = scores_nV.amax(-1)
    chosen_n = scores_nV.gather(1, targets_n.unsqueeze(-1)).squeeze(-1)
    chances_nV = scores_nV.sub_(highest_n.unsqueeze(-1)).exp_()
    sums_n = chances_nV.sum(-1)
    chances_nV /= sums_n.unsqueeze(-1)
    return chances_nV, chosen_n - highest_n - sums_n.log(), chosen_n >= highest_n


def add_product(total_VD: Tensor, grad_nV: Tensor, hidden_nD: Tensor) -> None:
    """total += grad' hidden, accumulated in the total's precision."""
    if total_VD.dtype == grad_nV.dtype:
        total_VD.addmm_(grad_nV.T, hidden_nD)
    else:
        total_VD += grad_nV.T @ hidden_nD


def chunks(num_tokens: int, weight_VD: Tensor) -> Iterator[slice]:
    """Consecutive slices of tokens whose logits number about `CHUNK_LOGITS`."""
    size = max(16, (CUDA_CHUNK_LOGITS if weight_VD.is_cuda else CHUNK_LOGITS) // len(weight_VD))
    return (slice(start, min(start + size, num_tokens)) for start in range(0, num_tokens, size))


@torch.no_grad()
def token_logps_and_entropies(
    *, hidden_ND: Tensor, targets_N: Tensor, head: nn.Module, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """`token_logps` and -sum_v p_v log p_v of each next-token distribution from one pass of the head, nats, both (N,).

    Without gradient, chunk by chunk.
    """
    logps_N, entropies_N = (torch.empty(len(targets_N), device=hidden_ND.device) for _ in range(2))
    for chunk in chunks(len(targets_N), cast(Tensor, head.weight)):
        scores_nV = head(hidden_ND[chunk]).float().div_(temperature)
        logps_nV = torch.log_softmax(scores_nV, dim=-1)
        logps_N[chunk] = logps_nV.gather(1, targets_N[chunk].unsqueeze(-1)).squeeze(-1)
        entropies_N[chunk] = -(logps_nV.exp() * logps_nV).sum(-1)
    return logps_N, entropies_N
