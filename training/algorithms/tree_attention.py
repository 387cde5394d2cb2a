"""Attention over a row of token trees: `[prompt][completion 1]…[completion K]`, many trees behind one another.

Each completion sees its prompt and itself, so that K completions cost one prompt, and nothing is padded. The function
is attached through transformers' `AttentionInterface`; every call without a `forest` is ordinary SDPA attention.
On a CPU each stretch of a tree is one call of SDPA, and a batch of short trees is one call with a mask. In half
precision on a GPU the whole row is one call of variable-length attention, whose causal mask is aligned at the end of
a stretch's keys.

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

from training.algorithms.devices import sent
from training.algorithms.tokenisation import TokenTree

SHORT_TREE: Final = 96  # tokens up to which trees are tabulated
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
    def numbers(self) -> list[int]:
        """Which completion each token behind the prompt belongs to, counted from 1."""
        lengths = [self.stem_length - self.prompt_length, *(length for _, length in self.branches)]
        return [number for number, length in enumerate(lengths, start=1) for _ in range(length)]

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

    def __init__(
        self, trees: Sequence[TokenTree], *, dtype: torch.dtype, device: torch.device, short_tree: int = SHORT_TREE
    ) -> None:
        self.short_tree = short_tree
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
    def table(self) -> Table | None:
        """The same as a table with a tree a row, if all of them are short."""
        longest = max(sum(place.lengths) for place in self.places)
        if longest > self.short_tree:
            return None
        return tabulated(self.places, longest, dtype=self.dtype, device=self.device)

    @cached_property
    def stretches(self) -> Stretches:
        """The same as one list of stretches, for variable-length attention."""
        return stretches(self.places, self.device)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Short trees as B rows of T columns, for one call of SDPA: many small calls cost more than some padding."""

    tokens_BT: Tensor  # place in the row of trees of each cell; any place where there is no token
    cells: Tensor  # cell of each token, counted through the table
    mask_B1TT: Tensor  # what is added to the scores: 0 or -inf


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


def tabulated(places: Sequence[Place], longest: int, *, dtype: torch.dtype, device: torch.device) -> Table:
    """A table as wide as the longest tree."""
    starts_B = torch.tensor([place.start for place in places])
    sizes_B = torch.tensor([sum(place.lengths) for place in places])
    columns_T = torch.arange(longest)
    is_token_BT = columns_T < sizes_B.unsqueeze(-1)
    parts = [[0] * place.prompt_length + place.numbers + [-1] * longest for place in places]
    parts_BT = torch.tensor([part[:longest] for part in parts])  # 0 prompt, 1, 2, … completions, -1 nothing
    query_BT1, key_B1T = parts_BT.unsqueeze(-1), parts_BT.unsqueeze(-2)
    is_seen_BTT = ((key_B1T == 0) | (key_B1T == query_BT1)) & (columns_T <= columns_T.unsqueeze(-1))
    mask_BTT = torch.zeros(is_seen_BTT.shape, dtype=dtype).masked_fill_(~is_seen_BTT, -torch.inf)
    return Table(
        tokens_BT=sent(torch.where(is_token_BT, starts_B.unsqueeze(-1) + columns_T, 0), device),
        cells=sent(is_token_BT.flatten().nonzero().squeeze(-1), device),
        mask_B1TT=sent(mask_BTT.unsqueeze(1), device),
    )


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
        keys=sent(torch.cat(keys), device),
        query_ends=sent(running_ends(query_lengths), device),
        key_ends=sent(running_ends(key_lengths), device),
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
    if takes_variable_lengths(query):
        return by_variable_length(query, key, value, forest.stretches, scaling=scaling), None
    num_groups = query.shape[1] // key.shape[1]
    if num_groups > 1:
        key, value = (tensor.repeat_interleave(num_groups, dim=1) for tensor in (key, value))
    if forest.table is not None:
        return by_table(query, key, value, forest.table, scaling=scaling), None
    return by_stretch(query, key, value, forest, scaling=scaling).transpose(1, 2), None


def takes_variable_lengths(query: Tensor) -> bool:
    """Whether torch's variable-length attention, which is flash attention, can be asked."""
    return query.is_cuda and query.dtype in (torch.bfloat16, torch.float16)


def by_table(query: Tensor, key: Tensor, value: Tensor, table: Table, *, scaling: float | None) -> Tensor:
    """One call of SDPA for a row of short trees; result (1, T, H, E)."""
    num_heads, size = query.shape[1], query.shape[3]

    def rows(tensor: Tensor) -> Tensor:
        """(1, H, tokens, E) as (B, H, T, E)."""
        tokens = tensor.transpose(1, 2).reshape(-1, num_heads * size)
        cells = tokens.index_select(0, table.tokens_BT.flatten())
        return cells.view(*table.tokens_BT.shape, num_heads, size).transpose(1, 2)

    found_BHTE = scaled_dot_product_attention(
        rows(query), rows(key), rows(value), attn_mask=table.mask_B1TT, scale=scaling
    )
    found = found_BHTE.transpose(1, 2).reshape(-1, num_heads * size).index_select(0, table.cells)
    return found.view(1, -1, num_heads, size)


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
        key_THE.index_select(0, layout.keys),
        value_THE.index_select(0, layout.keys),
        layout.query_ends,
        layout.key_ends,
        layout.longest_query,
        layout.longest_key,
        scale=scaling,
        window_size=(-1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return cast(Tensor, found_THE).unsqueeze(0)


uncompiled: Any = torch.compiler.disable  # lengths differ from batch to batch: it would be compiled for each
AttentionInterface.register(TREE_ATTENTION, uncompiled(tree_attention))
AttentionMaskInterface.register(TREE_ATTENTION, sdpa_mask)
