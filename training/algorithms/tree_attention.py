"""Attention over a row of token trees: `[prompt][completion 1]…[completion K]`, many trees behind one another.

Each completion sees its prompt and itself, so that K completions cost one prompt, and nothing is padded. The function
is attached through transformers' `AttentionInterface`; every call without a `forest` is ordinary SDPA attention.
On a CPU each stretch of a tree is one call of SDPA; in half precision on a GPU the whole row is one call of
variable-length attention, whose causal mask is aligned at the end of a stretch's keys.

H heads, T tokens of the row, E channels of a head, P tokens of a prompt, L of a completion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from training.algorithms.tokenisation import TokenTree

TREE_ATTENTION: Final = "concord_trees"  # its name in transformers' registry of attention functions


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a tree lies in its row. The prompt and the first completion are one causal stretch, the stem."""

    start: int
    prompt_length: int
    stem_length: int
    branches: tuple[tuple[int, int], ...]  # start and length of the second, third, … completion

    @property
    def lengths(self) -> list[int]:
        """Tokens of the stem and of each branch."""
        return [self.stem_length, *(length for _, length in self.branches)]

    @property
    def prompt(self) -> slice:
        """The prompt's tokens."""
        return slice(self.start, self.start + self.prompt_length)

    @property
    def stem(self) -> slice:
        """The tokens of the prompt and the first completion."""
        return slice(self.start, self.start + self.stem_length)


class Forest:
    """The trees of a row; what every layer needs of them is made once."""

    def __init__(self, trees: Sequence[TokenTree], *, dtype: torch.dtype, device: torch.device) -> None:
        self.places = tuple(places(trees))
        self.lengths = [length for place in self.places for length in place.lengths]
        self.dtype = dtype
        self.device = device

    @cached_property
    def masks(self) -> list[list[Tensor]]:
        """For every tree and branch what is added to its scores, shape (L, P + L): 0, or -inf on what comes later."""
        settings: dict[str, Any] = {"dtype": self.dtype, "device": self.device}
        return [
            [
                torch.full((length, place.prompt_length + length), -torch.inf, **settings).triu(place.prompt_length + 1)
                for _, length in place.branches
            ]
            for place in self.places
        ]

    @cached_property
    def stretches(self) -> Stretches:
        """The same as one list of stretches, for variable-length attention."""
        return stretches(self.places, self.device)


@dataclass(frozen=True, kw_only=True)
class Stretches:
    """Stems and branches as sequences of variable length, with keys that begin with the prompt."""

    keys: Tensor  # place in the row of each key, prompts repeated for every branch
    query_ends: Tensor  # 0 and the running count of queries, int32
    key_ends: Tensor  # 0 and the running count of keys, int32
    longest_query: int
    longest_key: int


def places(trees: Sequence[TokenTree]) -> Iterator[Place]:
    """Trees laid behind one another."""
    start = 0
    for tree in trees:
        lengths = [len(completion) for completion in tree.completions]
        end = start + len(tree.prompt)
        branches = []
        for length in lengths:
            branches.append((end, length))
            end += length
        prompt_length = len(tree.prompt)
        stem_length = prompt_length + lengths[0]
        yield Place(start=start, prompt_length=prompt_length, stem_length=stem_length, branches=tuple(branches[1:]))
        start = end


def stretches(places: Sequence[Place], device: torch.device) -> Stretches:
    """What variable-length attention is told about a row."""
    keys: list[Tensor] = []
    query_lengths: list[int] = []
    for place in places:
        keys.append(torch.arange(place.stem.start, place.stem.stop))
        query_lengths.append(place.stem_length)
        for start, length in place.branches:
            prompt = torch.arange(place.prompt.start, place.prompt.stop)
            keys.append(torch.cat([prompt, torch.arange(start, start + length)]))
            query_lengths.append(length)
    key_lengths = [len(stretch) for stretch in keys]
    return Stretches(
        keys=torch.cat(keys).to(device),
        query_ends=running_ends(query_lengths).to(device),
        key_ends=running_ends(key_lengths).to(device),
        longest_query=max(query_lengths),
        longest_key=max(key_lengths),
    )


def running_ends(lengths: Sequence[int]) -> Tensor:
    """0, l_0, l_0 + l_1, … as int32."""
    return torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)


def tree_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    forest: Forest | None = None,
    **settings: Any,
) -> tuple[Tensor, None]:
    """Attention of a layer; query (1, H, T, E), key and value with as many or fewer heads; result (1, T, H, E).

    Raises `ValueError` for what trees cannot do: a sliding window shorter than a path, soft-capped scores, dropout.
    """
    if forest is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **settings
        )
    if settings.get("softcap") is not None or settings.get("sliding_window") is not None or dropout:
        raise ValueError("Rows of trees know no sliding window, no soft cap and no dropout.")
    if query.is_cuda and query.dtype != torch.float32:
        return by_variable_length(query, key, value, forest.stretches, scaling=scaling), None
    num_groups = query.shape[1] // key.shape[1]
    if num_groups > 1:
        key, value = (tensor.repeat_interleave(num_groups, dim=1) for tensor in (key, value))
    return by_stretch(query, key, value, forest, scaling=scaling).transpose(1, 2), None


def by_stretch(query: Tensor, key: Tensor, value: Tensor, forest: Forest, *, scaling: float | None) -> Tensor:
    """One call of SDPA a stretch; all of shape (1, H, T, E).

    The row is cut by `split`, whose gradient is one concatenation; a slice's would be a row of zeros for every stretch.
    """
    found: list[Tensor] = []
    cuts = (iter(tensor.split(forest.lengths, dim=2)) for tensor in (query, key, value))
    pieces = zip(*cuts, strict=True)
    for place, masks in zip(forest.places, forest.masks, strict=True):
        stem_query, stem_key, stem_value = next(pieces)
        found.append(scaled_dot_product_attention(stem_query, stem_key, stem_value, is_causal=True, scale=scaling))
        prompt_key, prompt_value = (stem[:, :, : place.prompt_length] for stem in (stem_key, stem_value))
        for mask in masks:
            branch_query, branch_key, branch_value = next(pieces)
            seen_key = torch.cat([prompt_key, branch_key], dim=2)
            seen_value = torch.cat([prompt_value, branch_value], dim=2)
            found.append(
                scaled_dot_product_attention(branch_query, seen_key, seen_value, attn_mask=mask, scale=scaling)
            )
    return torch.cat(found, dim=2)


def by_variable_length(
    query: Tensor, key: Tensor, value: Tensor, layout: Stretches, *, scaling: float | None
) -> Tensor:
    """One call of variable-length attention for the whole row; result (1, T, H, E)."""
    from torch.nn.attention.varlen import varlen_attn  # only where there is CUDA

    query_THE, key_THE, value_THE = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    found_THE = varlen_attn(
        query_THE.contiguous(),
        key_THE[layout.keys],
        value_THE[layout.keys],
        layout.query_ends,
        layout.key_ends,
        layout.longest_query,
        layout.longest_key,
        scale=scaling,
        window_size=(-1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return cast(Tensor, found_THE).unsqueeze(0)


AttentionInterface.register(TREE_ATTENTION, tree_attention)
AttentionMaskInterface.register(TREE_ATTENTION, sdpa_mask)
