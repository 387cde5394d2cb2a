"""Where a process computes: its CUDA device if it has one, else the CPU; and how data get there.

A supervisor chooses GPUs by `CUDA_VISIBLE_DEVICES`, a launcher of several processes gives each its place among them
by `LOCAL_RANK`.
"""

from __future__ import annotations

import base64
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil
import torch
from torch import Tensor

CPU: Final = torch.device("cpu")
MEGABYTE: Final = 2**20
CONTROL_GROUP: Final = Path("/sys/fs/cgroup")


def own_device() -> torch.device:
    """The CUDA device of this process's place on its machine, or the CPU."""
    if not torch.cuda.is_available():
        return CPU
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on `device`, without waiting for the copy: it goes through pinned memory."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def peak_memory_mb(device: torch.device) -> float:
    """The most memory that tensors took on a CUDA device, or that this process took on the host, in MB, so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MEGABYTE
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MEGABYTE if sys.platform == "darwin" else peak / 1024  # bytes there, kilobytes on Linux


def free_memory(device: torch.device) -> int:
    """Bytes that are free: on a CUDA device, or on the host within the limit of its control group."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((CONTROL_GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # there is none, or it sets no limit
        return free
    return min(free, max(0, limit - used))


def random_state(device: torch.device) -> dict[str, str]:
    """The states of the random generators that this process draws from, as text."""
    states = {"rng": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda_rng"] = torch.cuda.get_rng_state(device)
    return {name: base64.b64encode(state.numpy().tobytes()).decode() for name, state in states.items()}


def restore_random_state(states: Mapping[str, str], device: torch.device) -> None:
    """Put back what `random_state` found; a run that moved to a GPU has no state of that yet."""
    torch.set_rng_state(as_state(states["rng"]))
    if device.type == "cuda" and "cuda_rng" in states:
        torch.cuda.set_rng_state(as_state(states["cuda_rng"]), device)


def as_state(text: str) -> Tensor:
    """A generator's state from its text."""
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
