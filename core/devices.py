"""Devices for jobs: a job that needs some waits until they are free, has them for a while, and gives them back."""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from core import device_leases, jobs
from core.device_discovery import FoundDevice, devices_here
from core.jobs import JobFailed
from core.models import Job

POLL_SECONDS = 1.0  # between two looks for a free device


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The devices that a job has."""

    devices: tuple[FoundDevice, ...]

    @property
    def environment(self) -> dict[str, str]:
        """What a process that computes on them is started with; empty on a machine without GPUs."""
        names = [device.visible_as for device in self.devices if device.kind == "gpu"]
        # The order of nvidia-smi, by which the indexes are meant.
        return {"CUDA_VISIBLE_DEVICES": ",".join(names), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"} if names else {}


@contextmanager
def granted(job: Job, *, num: int = 1) -> Iterator[Grant]:
    """`num` devices of this machine for as long as this lasts; waits until they are free.

    Raises `JobFailed` if the machine has fewer, and, while it waits, `JobCancelled` and `StaleAttempt`.
    """
    found = devices_here(os.environ, num_cpu_slots=settings.CPU_SLOTS)
    if num > len(found):
        raise JobFailed(
            f"{num} devices are wanted, and {socket.gethostname()} has {len(found)}.", failure_kind="devices-missing"
        )
    device_leases.register(found, host=socket.gethostname())
    job.device_keys = _taken(job, [one.key for one in found], num=num)
    try:
        yield Grant(devices=tuple(one for one in found if one.key in job.device_keys))
    finally:
        job.device_keys = ()
        device_leases.release(job)


def _taken(job: Job, keys: Sequence[str], *, num: int) -> tuple[str, ...]:
    """The keys of the devices, as soon as they are free."""
    try:
        while not (taken := _claimed(job, keys, num=num)):
            device_leases.wait(job, keys, num=num)
            jobs.beat(job)
            time.sleep(POLL_SECONDS)
    finally:
        device_leases.stop_waiting(job)
    return taken


def _claimed(job: Job, keys: Sequence[str], *, num: int) -> tuple[str, ...]:
    """As `device_leases.claim`, and only for the attempt that owns the job."""
    with transaction.atomic():
        jobs.renew(job)
        return device_leases.claim(job, keys, num=num)
