"""Batched sampling with a key-value cache: rollouts of PPO, and samples at evaluations.

B prompts, T columns, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from training.algorithms.devices import sent
from training.algorithms.models import LanguageModel


@torch.no_grad()
def sample_completions(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    temperature: float,
    stop_id: int,
    pad_id: int,
    generator: torch.Generator | None = None,
) -> list[tuple[int, ...]]:
    """One completion a prompt, up to and including the stop token, at most `max_new_tokens` long.

    Temperature 0 is greedy. Prompts are padded on the left; pads are masked and do not count as positions.
    """
    ids_BT, mask_BT = (sent(table, model.device) for table in left_padded(prompts, pad_id=pad_id))
    positions_BT = (mask_BT.cumsum(-1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.network.config)
    sampled: list[list[int]] = [[] for _ in prompts]
    active_B = torch.arange(len(prompts), device=model.device)
    while True:
        hidden_BTD = model.backbone(
            input_ids=ids_BT,
            attention_mask=mask_BT,
            position_ids=positions_BT,
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        next_B = pick(model.head(hidden_BTD[:, -1]), temperature=temperature, generator=generator)
        for row, token in zip(active_B.tolist(), next_B.tolist(), strict=True):
            sampled[row].append(token)
        is_open_B = next_B != stop_id
        if not is_open_B.any() or len(sampled[int(active_B[is_open_B][0])]) == max_new_tokens:
            return [tuple(completion) for completion in sampled]
        kept_B = is_open_B.nonzero().squeeze(-1)
        if len(kept_B) < len(active_B):  # finished rows leave the batch
            cache.batch_select_indices(kept_B)
        active_B, ids_BT = active_B[kept_B], next_B[kept_B].unsqueeze(-1)
        mask_BT = torch.cat([mask_BT[kept_B], mask_BT.new_ones(len(kept_B), 1)], dim=-1)
        positions_BT = positions_BT[kept_B, -1:] + 1


def left_padded(prompts: Sequence[Sequence[int]], *, pad_id: int) -> tuple[Tensor, Tensor]:
    """Prompts as a table that ends where each prompt ends, and its mask, both (B, T)."""
    longest = max(map(len, prompts))
    ids = [[pad_id] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids), torch.tensor(mask)


def pick(logits_BV: Tensor, *, temperature: float, generator: torch.Generator | None) -> Tensor:
    """The next token of each row: the likeliest at temperature 0, else a draw from softmax(logits / temperature)."""
    if temperature == 0:
        return logits_BV.argmax(-1)
    probabilities_BV = torch.softmax(logits_BV.float() / temperature, dim=-1)
    return torch.multinomial(probabilities_BV, 1, generator=generator).squeeze(-1)
