"""A worker with a job that wants a device: `python -m tests.core.device_client RUN LOG TIMES`.

It holds the device TIMES times for a moment, and says so in LOG; or, with 0, until it is killed.
"""

from __future__ import annotations

import os
import sys
import time

from core.embedded import provide_environment

provide_environment()

import django  # noqa: E402 -- the environment must be complete before settings are read

django.setup()

from core import devices, jobs  # noqa: E402 -- likewise
from training.models import TrainingRun  # noqa: E402

devices.POLL_SECONDS = 0.01


def main(pk: int, log: str, times: int) -> None:
    lines = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def compute(run: TrainingRun) -> None:
        for _ in range(times or 1):
            with devices.granted(run) as grant:
                os.write(lines, f"begins {pk} on {grant.devices[0].key}\n".encode())
                time.sleep(0.01 if times else 3600)
                os.write(lines, f"ends {pk} on {grant.devices[0].key}\n".encode())

    jobs.perform(TrainingRun, pk, compute)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
