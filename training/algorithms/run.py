"""`python -m training.algorithms.run RUN_DIR`: carry out the order in a run directory.

Exit codes: 0 finished, 1 failed (failure.json says why), 143 stopped by SIGTERM after saving a checkpoint.
torch is imported only once the process is ready to be stopped.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from threading import Event
from typing import Final

PR_SET_PDEATHSIG: Final = 1
# For glibc's mallopt: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_TOP_PAD, bytes.
KEPT_MEMORY: Final = {-1: 2**31 - 1, -3: 2**31 - 1, -2: 2**26}
SUPERVISOR_PID: Final = "CONCORD_SUPERVISOR_PID"  # the environment variable with the process that must live
STOPPED: Final = 128 + signal.SIGTERM


def main(directory: Path) -> int:
    """Carry out the order in `directory`; returns the exit code."""
    stop = Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    die_with_parent()
    # Threads that spin while they wait cost a training next to other busy processes most of its speed.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_memory()
    from training.algorithms.execution import execute
    from training.algorithms.session import Stopped

    try:
        return execute(directory, is_stop_requested=stop.is_set)
    except Stopped:
        return STOPPED


def keep_memory() -> None:
    """Ask glibc not to give freed memory back: each step wants it again, and fetching it costs a third of the speed."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's alone
    if mallopt is not None:
        for parameter, value in KEPT_MEMORY.items():
            mallopt(parameter, value)


def die_with_parent() -> None:
    """Ask Linux to send this process SIGTERM when its supervisor dies, however that happens.

    One that names itself in the environment may be dead already: then this process ends here.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.environ.get(SUPERVISOR_PID, str(os.getppid())) != str(os.getppid()):
            sys.exit(STOPPED)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
