"""Drawing tokens from a causal language model, many prompts at once.

Each prompt is computed once and its cache copied for its K replies; rows that ended leave the batch. Each row
draws from its own numbers, so that a reply does not depend on which others share its batch.

Shapes: P prompts, K replies to each, R = P·K rows, L padded prompt length, T new tokens, V vocabulary.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

EndsReply = Callable[[list[int]], bool]
AllowedNext = Callable[[list[int]], Sequence[int]]  # (reply so far) → the token ids that may follow
Record = Callable[[Tensor, Tensor, Tensor], None]  # (rows [R], logits [R, V] after restriction, tokens drawn [R])


@torch.inference_mode()
def sample_tokens(
    model: Any,
    prompts: Sequence[Sequence[int]],
    uniforms_RT: Tensor,
    *,
    temperature: float,
    top_p: float,
    ends_reply: EndsReply,
    allowed_next: AllowedNext | None = None,
    record: Record | None = None,
) -> list[list[int]]:
    """R lists of at most T new token ids, the K replies to a prompt next to each other.

    `uniforms_RT` holds one number in [0, 1) for each token to draw; its T is the longest reply. After every
    token `ends_reply` is asked whether the reply so far has ended; the token that ends it is kept.
    `allowed_next` leaves only some tokens to draw from, and `record` sees every draw.
    """
    num_rows, max_new_tokens = uniforms_RT.shape
    uniforms_RT = uniforms_RT.to(model.device)
    step = _Stepper(model, prompts, repeats=num_rows // len(prompts))
    replies: list[list[int]] = [[] for _ in range(num_rows)]
    rows = torch.arange(num_rows, device=model.device)  # those still in the batch
    logits_RV = step.first()
    for t in range(max_new_tokens):
        if allowed_next is not None:
            logits_RV = restrict(logits_RV, [allowed_next(replies[row]) for row in rows.tolist()])
        tokens_R = draw(logits_RV, uniforms_RT[rows, t], temperature=temperature, top_p=top_p)
        if record is not None:
            record(rows, logits_RV, tokens_R)
        kept = []
        for place, (row, token) in enumerate(zip(rows.tolist(), tokens_R.tolist(), strict=True)):
            replies[row].append(token)
            if not ends_reply(replies[row]):
                kept.append(place)
        if not kept or t + 1 == max_new_tokens:
            break
        if len(kept) < len(rows):
            kept_R = torch.tensor(kept, device=model.device)
            rows, tokens_R = rows[kept_R], tokens_R[kept_R]
            step.keep(kept_R)
        logits_RV = step.next(tokens_R)
    return replies


def draw(logits_RV: Tensor, uniforms_R: Tensor, *, temperature: float, top_p: float) -> Tensor:
    """Token ids [R]: the cumulative distribution inverted at `uniforms_R`; temperature 0 takes the likeliest.

    `top_p` below 1 draws from the smallest set of likeliest tokens whose probabilities reach it.
    """
    if temperature == 0:
        return logits_RV.argmax(dim=-1)
    probs_RV = torch.softmax(logits_RV.float() / temperature, dim=-1)
    if top_p >= 1:
        return _invert(probs_RV, uniforms_R)
    sorted_RV, order_RV = probs_RV.sort(dim=-1, descending=True)
    before_RV = sorted_RV.cumsum(dim=-1) - sorted_RV
    places_R = _invert(sorted_RV.where(before_RV < top_p, 0.0), uniforms_R)
    return order_RV.gather(-1, places_R[:, None])[:, 0]


def restrict(logits_RV: Tensor, allowed: Sequence[Sequence[int]]) -> Tensor:
    """The logits [R, V], −∞ wherever a token is not among the R allowed ones of its row."""
    restricted_RV = torch.full_like(logits_RV, -torch.inf)
    for row, tokens in enumerate(allowed):
        places = torch.tensor(tokens, device=logits_RV.device)
        restricted_RV[row, places] = logits_RV[row, places]
    return restricted_RV


def _invert(weights_RV: Tensor, uniforms_R: Tensor) -> Tensor:
    """The first index at which the running sum of the weights exceeds `uniforms_R` times their total."""
    sums_RV = weights_RV.cumsum(dim=-1, dtype=torch.float64)
    targets_R1 = uniforms_R.double()[:, None] * sums_RV[:, -1:]
    places_R = torch.searchsorted(sums_RV, targets_R1, right=True)[:, 0]
    return places_R.clamp(max=weights_RV.shape[-1] - 1)


class _Stepper:
    """The model with its cache, mask and positions: one forward pass over the prompts, then one a token."""

    def __init__(self, model: Any, prompts: Sequence[Sequence[int]], *, repeats: int) -> None:
        self._model, self._repeats = model, repeats
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters
        self._cache = DynamicCache(config=model.config)
        self._ids_PL, mask_PL = pad_left(prompts)
        self._ids_PL, self._mask = self._ids_PL.to(model.device), mask_PL.to(model.device)
        self._positions = (self._mask.cumsum(dim=-1) - 1).clamp(min=0)

    def first(self) -> Tensor:
        """Logits [R, V] after the prompts."""
        logits_PV = self._forward(self._ids_PL)
        self._cache.batch_repeat_interleave(self._repeats)
        self._mask = self._mask.repeat_interleave(self._repeats, dim=0)
        self._positions = self._positions[:, -1:].repeat_interleave(self._repeats, dim=0)
        return logits_PV.repeat_interleave(self._repeats, dim=0)

    def next(self, tokens_R: Tensor) -> Tensor:
        """Logits [R, V] after one more token in each row."""
        self._mask = torch.nn.functional.pad(self._mask, (0, 1), value=1)
        self._positions = self._positions + 1
        return self._forward(tokens_R[:, None])

    def keep(self, rows_R: Tensor) -> None:
        """Drop all rows but these places."""
        self._cache.batch_select_indices(rows_R)
        self._mask, self._positions = self._mask[rows_R], self._positions[rows_R]

    def _forward(self, ids: Tensor) -> Tensor:
        positions = {"position_ids": self._positions} if self._takes_positions else {}
        output = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
            **positions,
        )
        logits: Tensor = output.logits[:, -1]
        return logits


def pad_left(prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Token ids and mask, both [P, L]; padding (id 0, mask 0) comes first: all prompts end together."""
    length = max(len(prompt) for prompt in prompts)
    ids = [[0] * (length - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (length - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids), torch.tensor(mask)
