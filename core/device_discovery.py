"""Which devices this machine has to compute on, without importing torch: GPUs by nvidia-smi, or slots of the CPU."""

import logging
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from shutil import which

log = logging.getLogger(__name__)
_LIST_GPUS = ("--query-gpu=index,uuid,name", "--format=csv,noheader")
_SECONDS = 20.0  # a driver that loads for the first time takes a few


@dataclass(frozen=True, kw_only=True)
class FoundDevice:
    """A device as this process sees it."""

    key: str  # the same wherever it is seen from
    kind: str  # "gpu" or "cpu"
    name: str
    visible_as: str = ""  # what CUDA_VISIBLE_DEVICES calls it here; empty for a slot of the CPU


def devices_here(variables: Mapping[str, str], *, num_cpu_slots: int) -> list[FoundDevice]:
    """The GPUs that CUDA_VISIBLE_DEVICES in `variables` leaves over, or slots of the CPU where there is none."""
    host = socket.gethostname()
    gpus = visible(gpus_of(list_gpus(variables)), variables.get("CUDA_VISIBLE_DEVICES"))
    return gpus or [
        FoundDevice(key=f"{host}/cpu-{number}", kind="cpu", name=f"CPU slot {number}")
        for number in range(num_cpu_slots)
    ]


def list_gpus(variables: Mapping[str, str]) -> str:
    """What nvidia-smi prints: a line of index, UUID and name for each GPU. Empty where it is absent or fails."""
    program = which("nvidia-smi", path=variables.get("PATH"))
    if program is None:
        return ""
    try:
        done = subprocess.run([program, *_LIST_GPUS], capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("nvidia-smi does not list the GPUs: %s", error)
        return ""
    return done.stdout


def gpus_of(listed: str) -> list[FoundDevice]:
    """The GPUs in nvidia-smi's lines, in the order of their place on the bus."""
    rows = [[part.strip() for part in line.split(",", 2)] for line in listed.splitlines() if line.count(",") >= 2]
    return [
        FoundDevice(key=uuid, kind="gpu", name=f"{index}: {name}"[:120], visible_as=index) for index, uuid, name in rows
    ]


def visible(gpus: Sequence[FoundDevice], chosen: str | None) -> list[FoundDevice]:
    """Those that CUDA_VISIBLE_DEVICES names, by index, UUID or a UUID's beginning; None: all of them.

    As CUDA does, everything from the first name on that means no GPU is left out. Slices of a GPU (MIG) are devices
    by their own UUID.
    """
    if chosen is None:
        return list(gpus)
    return list(_named(gpus, [word.strip() for word in chosen.split(",")]))


def _named(gpus: Sequence[FoundDevice], words: Sequence[str]) -> Iterator[FoundDevice]:
    for word in words:
        found = [gpu for gpu in gpus if gpu.visible_as == word or (word and gpu.key.startswith(word))]
        if gpus and word.startswith("MIG-"):
            yield FoundDevice(key=word, kind="gpu", name=word[:120], visible_as=word)
        elif len(found) == 1:
            yield found[0]
        else:
            return
