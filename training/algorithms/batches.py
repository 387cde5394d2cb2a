"""The seam between token trees and networks: how a batch lies in memory is known here and nowhere else.

This layout pads: each completion is a row with a copy of its prompt, filled up on the right. Attention is causal,
so no real token sees a pad. Heads are applied to hidden states at completion positions only.

R rows = C completions, T columns, N completion tokens of the whole batch, D channels, L longest completion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.algorithms.logps import TokenLogps, token_logps
from training.algorithms.models import LanguageModel, RewardModel
from training.algorithms.tokenisation import TokenTree


@dataclass(frozen=True, kw_only=True)
class TreeBatch:
    """Some trees, their completions in order: tree 0's first, tree 0's second, …"""

    input_ids_RT: Tensor  # right-padded token ids
    rows_N: Tensor  # row of each completion token, which is its completion's number
    columns_N: Tensor  # column of the token before it, whose hidden state predicts it
    offsets_N: Tensor  # its place in its completion, from 0
    targets_N: Tensor  # its id
    last_columns_C: Tensor  # column of each completion's last real token
    num_tokens: int  # real tokens, pads not counted

    @property
    def num_completions(self) -> int:
        """C."""
        return len(self.last_columns_C)


def collate(trees: Sequence[TokenTree], *, pad_id: int) -> TreeBatch:
    """Lay trees out for a network. Every prompt has a token, every completion has one."""
    rows = [(tree.prompt, completion) for tree in trees for completion in tree.completions]
    lengths_C = torch.tensor([len(completion) for _, completion in rows])
    starts_C = torch.tensor([len(prompt) for prompt, _ in rows])
    input_ids_RT = torch.full((len(rows), int((starts_C + lengths_C).max())), pad_id)
    for row, (prompt, completion) in enumerate(rows):
        input_ids_RT[row, : len(prompt) + len(completion)] = torch.tensor([*prompt, *completion])
    rows_N = torch.repeat_interleave(torch.arange(len(rows)), lengths_C)
    offsets_N = torch.cat([torch.arange(len(completion)) for _, completion in rows])
    columns_N = starts_C[rows_N] + offsets_N - 1
    return TreeBatch(
        input_ids_RT=input_ids_RT,
        rows_N=rows_N,
        columns_N=columns_N,
        offsets_N=offsets_N,
        targets_N=input_ids_RT[rows_N, columns_N + 1],
        last_columns_C=starts_C + lengths_C - 1,
        num_tokens=int((starts_C + lengths_C).sum()),
    )


def hidden_states(backbone: nn.Module, batch: TreeBatch) -> Tensor:
    """Hidden states of every position, shape (R, T, D). No mask: pads come last and attention is causal."""
    hidden_RTD: Tensor = backbone(input_ids=batch.input_ids_RT, use_cache=False).last_hidden_state
    return hidden_RTD


def completion_hidden(backbone: nn.Module, batch: TreeBatch) -> Tensor:
    """Hidden states from which the completion tokens are predicted, shape (N, D)."""
    return hidden_states(backbone, batch)[batch.rows_N, batch.columns_N]


def completion_logps(model: LanguageModel, batch: TreeBatch, *, temperature: float = 1.0) -> TokenLogps:
    """Log-probabilities of the completion tokens, nats."""
    hidden_ND = completion_hidden(model.backbone, batch)
    return token_logps(hidden_ND=hidden_ND, targets_N=batch.targets_N, head=model.head, temperature=temperature)


def completion_scores(model: RewardModel, batch: TreeBatch) -> Tensor:
    """The scalar head on each completion's last real token, found by lengths, shape (C,)."""
    hidden_RTD = hidden_states(model.backbone, batch)
    return model.scores(hidden_RTD[torch.arange(batch.num_completions), batch.last_columns_C])


def completion_values(model: RewardModel, batch: TreeBatch) -> Tensor:
    """The scalar head before each completion token is emitted: a critic's V(s), shape (N,)."""
    return model.scores(completion_hidden(model.backbone, batch))


def sum_by_completion(values_N: Tensor, batch: TreeBatch) -> Tensor:
    """Sums over each completion's tokens, shape (C,)."""
    return values_N.new_zeros(batch.num_completions).index_add(0, batch.rows_N, values_N)


def lay_out(values_N: Tensor, batch: TreeBatch) -> Tensor:
    """Token values as a table with a completion a row, zeros behind its end, shape (C, L)."""
    num_columns = int(batch.offsets_N.max()) + 1
    table_CL = values_N.new_zeros(batch.num_completions, num_columns)
    table_CL[batch.rows_N, batch.offsets_N] = values_N
    return table_CL


def pick_up(table_CL: Tensor, batch: TreeBatch) -> Tensor:
    """The inverse of `lay_out`, shape (N,)."""
    return table_CL[batch.rows_N, batch.offsets_N]


def cut_by_tokens(indexes: Sequence[int], lengths: Sequence[int], *, max_tokens: int) -> Iterator[list[int]]:
    """Consecutive groups of `indexes` whose padded size stays within `max_tokens`; a longer one stands alone.

    `lengths[i]` is the padded token count of example i. Sort `indexes` by it for little padding.
    """
    group: list[int] = []
    longest = 0
    for index in indexes:
        longest = max(longest, lengths[index])
        if group and longest * (len(group) + 1) > max_tokens:
            yield group
            group, longest = [], lengths[index]
        group.append(index)
    if group:
        yield group


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
