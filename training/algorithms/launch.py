"""`python -m training.algorithms.launch RUN_DIR NUM`: the order in a run directory, by NUM processes of this machine.

Each is told its rank as `torchrun` tells it. They find each other through a file, so that no port has to be free.
Exit codes are those of `training.algorithms.run`; if a signal killed one of them, the others are killed and this
process ends by the same signal. SIGTERM is passed on: they finish their step, save, and end.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Final

from training.algorithms.run import STOPPED, SUPERVISOR_PID, die_with_parent

PROCESS: Final = "training.algorithms.run"
RENDEZVOUS: Final = "CONCORD_RENDEZVOUS"  # the environment variable with the address at which a team meets
POLL_SECONDS: Final = 0.05
DESERTED: Final = 75  # how a process ends that lost another one, which knows why
DESERTION_SECONDS: Final = 10.0  # so long another one may take to end


def main(directory: Path, num_processes: int) -> int:
    """Start the processes and wait for all of them; returns the exit code."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    die_with_parent()
    with tempfile.TemporaryDirectory(prefix="concord-team-") as folder:
        meeting = f"file://{folder}/rendezvous"
        processes = [start(directory, rank, num_processes, meeting) for rank in range(num_processes)]
        try:
            return outcome(processes, stop)
        finally:
            for process in processes:
                process.kill()
                process.wait()


def start(directory: Path, rank: int, size: int, meeting: str) -> subprocess.Popen[bytes]:
    """The process of one rank, which dies with this one."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
    own = {name: str(value) for name, value in place.items()} | {RENDEZVOUS: meeting, SUPERVISOR_PID: str(os.getpid())}
    local = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}  # not whatever the host's name stands for
    return subprocess.Popen([sys.executable, "-m", PROCESS, str(directory)], env={**local, **os.environ, **own})


def outcome(processes: Sequence[subprocess.Popen[bytes]], stop: Event) -> int:
    """The exit code of all: that of the first to fail, or else 143 if they were stopped."""
    was_told, deserted_at = False, math.inf
    while True:
        if stop.is_set() and not was_told:
            was_told = True
            for process in processes:
                process.terminate()
        codes = [process.poll() for process in processes]
        failed = [code for code in codes if code not in (None, 0, STOPPED, DESERTED)]
        if failed:  # the others wait for it, and would for ever
            return max(code for code in failed if code is not None)  # one that ended by itself says more than a signal
        if DESERTED in codes:
            deserted_at = min(deserted_at, time.monotonic())
            if None not in codes or time.monotonic() > deserted_at + DESERTION_SECONDS:
                return DESERTED
        if None not in codes:
            return STOPPED if STOPPED in codes else 0
        time.sleep(POLL_SECONDS)


def end(code: int) -> None:
    """Leave with this exit code, or by the signal that it stands for."""
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    end(main(Path(sys.argv[1]), int(sys.argv[2])))
