"""Several processes that work on one run: each computes a share of every batch, and gradients are added up.

Started by `accelerate launch` or `torchrun`, which tell each process its rank through the environment. Losses are
divided by the count of the whole batch before they are added, so that any number of processes takes the same steps.
The first process alone writes events and checkpoints.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Team:
    """The processes of a run, as one of them sees it. A team of one does everything itself."""

    rank: int = 0
    size: int = 1

    @property
    def is_leader(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """This process's part of items that are sorted by their cost."""
        return list(items[self.rank :: self.size])

    def add_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Replace every gradient by the sum over all processes."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:  # this process's share was empty
                parameter.grad = torch.zeros_like(parameter)
        flat = torch.cat([parameter.grad.flatten() for parameter in parameters if parameter.grad is not None])
        distributed.all_reduce(flat)
        for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = part.view_as(parameter)

    def add(self, totals: Mapping[str, float]) -> dict[str, float]:
        """Sums over all processes of what each has measured."""
        if self.size == 1:
            return dict(totals)
        found: list[Mapping[str, float] | None] = [None] * self.size
        distributed.all_gather_object(found, totals)
        names = {name: None for part in found for name in part or ()}
        return {name: sum((part or {}).get(name, 0.0) for part in found) for name in names}

    def does_any(self, is_so: bool) -> bool:
        """Whether it is so for any process: all act on the same answer."""
        return any(self.add({"is_so": float(is_so)}).values())

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """What is in here is done by the first process, then by the others, which find what it left."""
        if not self.is_leader:
            distributed.barrier()
        yield
        if self.is_leader and self.size > 1:
            distributed.barrier()


@contextmanager
def joined_team() -> Iterator[Team]:
    """The team that the environment speaks of; one process without such variables is a team of its own."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team()
        return
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Team(rank=distributed.get_rank(), size=size)
    finally:
        distributed.destroy_process_group()
