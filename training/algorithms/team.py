"""Several processes that work on one run: each computes a share of every batch, and gradients are added up.

Started by `launch.py`, `torchrun` or `accelerate launch`, which tell each its rank through the environment. Losses are
divided by the count of the whole batch before they are added, so that any number of processes takes the same steps.
The first process alone writes events and checkpoints.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import torch
from torch import Tensor, distributed

from training.algorithms.devices import own_device
from training.algorithms.launch import RENDEZVOUS

Item = TypeVar("Item")
BUCKET_ELEMENTS: Final = 2**24  # of gradients that are added up in one message
PATIENCE: Final = timedelta(hours=2)  # for the slowest: one that has died is noticed by its launcher at once


@dataclass(frozen=True, kw_only=True)
class Team:
    """The processes of a run, as one of them sees it. A team of one does everything itself."""

    rank: int = 0
    size: int = 1
    num_local: int = 1  # of them on this machine

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
        for bucket in buckets(parameters):
            self._add_gradients_of(bucket)

    def _add_gradients_of(self, parameters: Sequence[Tensor]) -> None:
        gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]  # an empty share
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        for parameter, gradient, part in zip(
            parameters, gradients, flat.split([one.numel() for one in parameters]), strict=True
        ):
            parameter.grad = gradient.copy_(part.view_as(parameter))

    def sum_up(self, table: Tensor) -> Tensor:
        """The sum over all processes of tables on the host, in place."""
        if self.size > 1:
            distributed.all_reduce(table)
        return table

    def add(self, totals: Mapping[str, float]) -> dict[str, float]:
        """Sums over all processes of what each has measured."""
        if self.size == 1:
            return dict(totals)
        found: list[Mapping[str, float] | None] = [None] * self.size
        distributed.all_gather_object(found, totals)
        names = {name: None for part in found for name in part or ()}
        return {name: sum((part or {}).get(name, 0.0) for part in found) for name in names}

    def most(self, number: int) -> int:
        """The largest of the numbers that the processes have."""
        if self.size == 1:
            return number
        found: list[int] = [0] * self.size
        distributed.all_gather_object(found, number)
        return max(found)

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


def buckets(parameters: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Parameters in groups of about `BUCKET_ELEMENTS`: few messages, and no second copy of all gradients at once."""
    bucket: list[Tensor] = []
    for parameter in parameters:
        if bucket and sum(one.numel() for one in bucket) + parameter.numel() > BUCKET_ELEMENTS:
            yield bucket
            bucket = []
        bucket.append(parameter)
    if bucket:
        yield bucket


def is_desertion(error: BaseException) -> bool:
    """Whether `error` says that another process of the team is gone: the reason is with that one."""
    if isinstance(error, distributed.DistError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in ("gloo/", "NCCL"))


@contextmanager
def joined_team() -> Iterator[Team]:
    """The team that the environment speaks of; one process without such variables is a team of its own."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team()
        return
    device = own_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
        init_method=os.environ.get(RENDEZVOUS, "env://"),
        rank=int(os.environ["RANK"]),
        world_size=size,
        timeout=PATIENCE,
    )
    # After a failure it is not left in order: the others notice once this process has said why and ended.
    yield Team(rank=distributed.get_rank(), size=size, num_local=int(os.environ.get("LOCAL_WORLD_SIZE", size)))
    distributed.destroy_process_group()
