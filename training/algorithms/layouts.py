"""How token trees lie in memory: known here and nowhere else.

In a row of trees every prompt stands once and nothing is padded. The padded layout is the reference and the fallback:
each completion is a row with a copy of its prompt, filled up on the right; attention is causal, so no real token
sees a pad.

R rows, T columns, N completion tokens, C completions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from training.algorithms.devices import sent
from training.algorithms.tokenisation import TokenTree
from training.algorithms.tree_attention import SHORT_TREE, Forest


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a network is given, and where in its answer to look. Places count through the rows."""

    input_ids_RT: Tensor
    before_N: Tensor  # place of the token before each completion token, whose hidden state predicts it
    last_C: Tensor  # place of each completion's last real token
    inputs: Mapping[str, Any] = field(default_factory=dict)  # what else the network is told


def padded_layout(trees: Sequence[TokenTree], *, pad_id: int, device: torch.device) -> Layout:
    """A row for every completion."""
    rows = [(*tree.prompt, *completion) for tree in trees for completion in tree.completions]
    num_columns = max(map(len, rows))
    ids = [[*row, *[pad_id] * (num_columns - len(row))] for row in rows]
    before: list[int] = []
    last: list[int] = []
    for number, (tree, completion) in enumerate(sequences(trees)):
        start = number * num_columns + len(tree.prompt)
        before += range(start - 1, start + len(completion) - 1)
        last.append(start + len(completion) - 1)
    return Layout(
        input_ids_RT=sent(torch.tensor(ids), device),
        before_N=sent(torch.tensor(before), device),
        last_C=sent(torch.tensor(last), device),
    )


def tree_layout(
    trees: Sequence[TokenTree], *, dtype: torch.dtype, device: torch.device, short_tree: int = SHORT_TREE
) -> Layout:
    """One row for everything; positions of a completion go on from its prompt."""
    ids = [token for tree in trees for token in chain(tree.prompt, *tree.completions)]
    positions = list(chain.from_iterable(map(tree_positions, trees)))
    before: list[int] = []
    last: list[int] = []
    end = 0
    for tree in trees:
        prompt_end = end = end + len(tree.prompt)
        for completion in tree.completions:
            before += [prompt_end - 1, *range(end, end + len(completion) - 1)]
            end += len(completion)
            last.append(end - 1)
    inputs = {
        "position_ids": sent(torch.tensor([positions]), device),
        "attention_mask": torch.zeros(1, 1, 1, 1, device=device),  # four axes: taken as it is, no mask is built
        "forest": Forest(trees, dtype=dtype, device=device, short_tree=short_tree),
    }
    return Layout(
        input_ids_RT=sent(torch.tensor([ids]), device),
        before_N=sent(torch.tensor(before), device),
        last_C=sent(torch.tensor(last), device),
        inputs=inputs,
    )


def tree_positions(tree: TokenTree) -> Iterator[int]:
    """0, 1, … through the prompt, and on from there in every completion."""
    start = len(tree.prompt)
    return chain(range(start), *(range(start, start + len(completion)) for completion in tree.completions))


def sequences(trees: Sequence[TokenTree]) -> Iterator[tuple[TokenTree, tuple[int, ...]]]:
    """Every completion with its tree, in order: tree 0's first, tree 0's second, …"""
    return ((tree, completion) for tree in trees for completion in tree.completions)
