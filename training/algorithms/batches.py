"""The seam between token trees and networks: heads are applied to hidden states at completion positions only.

N completion tokens of the whole batch, C completions, D channels, L longest completion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.algorithms.devices import CPU, sent
from training.algorithms.layouts import Layout, padded_layout, tree_layout
from training.algorithms.logps import TokenLogps, token_logps
from training.algorithms.models import LanguageModel, RewardModel
from training.algorithms.tokenisation import TokenTree


@dataclass(frozen=True, kw_only=True)
class TreeBatch:
    """Some trees, their completions in order: tree 0's first, tree 0's second, …"""

    trees: Sequence[TokenTree]
    pad_id: int
    lengths: Sequence[int]  # tokens of each completion
    completions_N: Tensor  # the number of the completion that each token belongs to
    offsets_N: Tensor  # its place in its completion, from 0
    targets_N: Tensor  # its id

    @property
    def num_completions(self) -> int:
        """C."""
        return len(self.lengths)

    def layout(self, model: LanguageModel | RewardModel) -> Layout:
        """The batch as this model reads it."""
        device = self.targets_N.device
        if model.reads_trees:
            return tree_layout(self.trees, dtype=model.network.dtype, device=device)
        return padded_layout(self.trees, pad_id=self.pad_id, device=device)


def collate(trees: Sequence[TokenTree], *, pad_id: int, device: torch.device = CPU) -> TreeBatch:
    """Lay trees out for a network. Every prompt has a token, every completion has one."""
    completions = [completion for tree in trees for completion in tree.completions]
    lengths = [len(completion) for completion in completions]
    completions_N = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    return TreeBatch(
        trees=trees,
        pad_id=pad_id,
        lengths=lengths,
        completions_N=sent(completions_N, device),
        offsets_N=sent(torch.cat([torch.arange(length) for length in lengths]), device),
        targets_N=sent(torch.tensor([token for completion in completions for token in completion]), device),
    )


def hidden_states(model: LanguageModel | RewardModel, layout: Layout) -> Tensor:
    """Hidden states of every place, rows behind one another, shape (R T, D)."""
    output = model.backbone(input_ids=layout.input_ids_RT, use_cache=False, **layout.inputs)
    hidden_RTD: Tensor = output.last_hidden_state
    return hidden_RTD.flatten(0, 1)


def completion_hidden(model: LanguageModel | RewardModel, batch: TreeBatch) -> Tensor:
    """Hidden states from which the completion tokens are predicted, shape (N, D)."""
    layout = batch.layout(model)
    return hidden_states(model, layout)[layout.before_N]


def completion_logps(model: LanguageModel, batch: TreeBatch, *, temperature: float = 1.0) -> TokenLogps:
    """Log-probabilities of the completion tokens, nats."""
    hidden_ND = completion_hidden(model, batch)
    return token_logps(hidden_ND=hidden_ND, targets_N=batch.targets_N, head=model.head, temperature=temperature)


def completion_scores(model: RewardModel, batch: TreeBatch) -> Tensor:
    """The scalar head on each completion's last real token, found by lengths, shape (C,)."""
    return model.scores(last_hidden(model, batch))


def completion_member_scores(model: RewardModel, batch: TreeBatch) -> Tensor:
    """Each member's score of each completion, shape (C, E)."""
    return model.member_scores(last_hidden(model, batch))


def last_hidden(model: RewardModel, batch: TreeBatch) -> Tensor:
    """Hidden states at each completion's last real token, found by lengths, shape (C, D)."""
    layout = batch.layout(model)
    return hidden_states(model, layout)[layout.last_C]


def completion_values(model: RewardModel, batch: TreeBatch) -> Tensor:
    """The scalar head before each completion token is emitted: a critic's V(s), shape (N,)."""
    return model.scores(completion_hidden(model, batch))


def sum_by_completion(values_N: Tensor, batch: TreeBatch) -> Tensor:
    """Sums over each completion's tokens, shape (C,)."""
    return values_N.new_zeros(batch.num_completions).index_add(0, batch.completions_N, values_N)


def lay_out(values_N: Tensor, batch: TreeBatch) -> Tensor:
    """Token values as a table with a completion a row, zeros behind its end, shape (C, L)."""
    table_CL = values_N.new_zeros(batch.num_completions, max(batch.lengths))
    table_CL[batch.completions_N, batch.offsets_N] = values_N
    return table_CL


def pick_up(table_CL: Tensor, batch: TreeBatch) -> Tensor:
    """The inverse of `lay_out`, shape (N,)."""
    return table_CL[batch.completions_N, batch.offsets_N]


def costs(model: LanguageModel | RewardModel, trees: Sequence[TokenTree]) -> list[int]:
    """Tokens that this model computes for each tree."""
    return [tree.num_tokens if model.reads_trees else tree.num_padded_tokens for tree in trees]


def cut_by_tokens(
    indexes: Sequence[int], lengths: Mapping[int, int], *, max_tokens: int, is_padded: bool = True
) -> Iterator[list[int]]:
    """Consecutive groups of `indexes` whose size stays within `max_tokens`; a longer one stands alone.

    `lengths[i]` is the token count of example i. A padded group is as long as its longest example times its number
    (sort `indexes` by length for little padding); a row of trees is the sum of its examples.
    """
    group: list[int] = []
    longest = total = 0
    for index in indexes:
        longest, total = max(longest, lengths[index]), total + lengths[index]
        if group and (longest * (len(group) + 1) if is_padded else total) > max_tokens:
            yield group
            group, longest, total = [], lengths[index], lengths[index]
        group.append(index)
    if group:
        yield group


def micro_batches(
    model: LanguageModel | RewardModel,
    trees: Sequence[TokenTree],
    *,
    pad_id: int,
    max_tokens: int,
    rows: Sequence[int] | None = None,
) -> Iterator[tuple[list[int], TreeBatch]]:
    """The trees (of `rows`, if given) in batches of like length, each with the rows that it holds."""
    for group in groups(model, trees, max_tokens=max_tokens, rows=rows):
        yield group, collate([trees[i] for i in group], pad_id=pad_id, device=model.device)


def groups(
    model: LanguageModel | RewardModel,
    trees: Sequence[TokenTree],
    *,
    max_tokens: int,
    rows: Sequence[int] | None = None,
) -> Iterator[list[int]]:
    """Numbers of trees (of `rows`, if given) of like length whose batch computes at most `max_tokens`."""
    chosen = range(len(trees)) if rows is None else rows
    lengths = dict(zip(chosen, costs(model, [trees[row] for row in chosen]), strict=True))
    order = sorted(chosen, key=lengths.__getitem__)
    return cut_by_tokens(order, lengths, max_tokens=max_tokens, is_padded=not model.reads_trees)


@dataclass(frozen=True, kw_only=True)
class BatchOrder:
    """Which examples make up each optimiser step: a function of the seed and the step alone, so that runs resume.

    With `groups_by_length`, examples of like length share a batch: an epoch is shuffled, cut into pools of
    16 batches, each sorted by length, cut into batches, and the batches are shuffled.
    """

    lengths: Sequence[int]  # tokens of each example
    batch_size: int  # examples
    seed: int
    groups_by_length: bool = True

    @property
    def num_batches(self) -> int:
        """Optimiser steps of an epoch; the last batch may be smaller."""
        return -(-len(self.lengths) // self.batch_size)

    def batch(self, step: int) -> list[int]:
        """Indexes of the examples of step 0, 1, …"""
        epoch, position = divmod(step, self.num_batches)
        return self.epoch(epoch)[position]

    def epoch(self, epoch: int) -> list[list[int]]:
        """All batches of an epoch."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        shuffled: list[int] = torch.randperm(len(self.lengths), generator=generator).tolist()
        pool_size = 16 * self.batch_size
        ordered = [] if self.groups_by_length else shuffled
        if self.groups_by_length:
            for start in range(0, len(shuffled), pool_size):
                ordered += sorted(shuffled[start : start + pool_size], key=self.lengths.__getitem__)
        batches = [ordered[i : i + self.batch_size] for i in range(0, len(ordered), self.batch_size)]
        order: list[int] = torch.randperm(len(batches), generator=generator).tolist()
        return [batches[i] for i in order]
