"""Runs a server and ends it, with all of its processes, when told to or when the process that wanted it has gone.

Started as a script of its own, with nothing but the standard library: `vllm_guardian.py PARENT_PID COMMAND…`. A parent
that is killed cannot clean up, and a server that outlives it would keep its port and its memory.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

GRACE_SECONDS = 10.0  # between SIGTERM and SIGKILL
_POLL_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


class Stopped(Exception):
    """Somebody asked this process to end."""


def guard(parent_pid: int, command: list[str]) -> int:
    """The exit code of the command; it is stopped when `parent_pid` is this process's parent no more."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop)
    server = subprocess.Popen(command, start_new_session=True, preexec_fn=_die_with_this_process)
    try:
        while server.poll() is None and os.getppid() == parent_pid:
            time.sleep(_POLL_SECONDS)
    except Stopped:
        pass
    finally:
        _end(server)
    return server.returncode


def _stop(*_: object) -> None:
    raise Stopped


def _die_with_this_process() -> None:
    """If even this process is killed, the kernel tells the server (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end(server: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        server.wait(GRACE_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)  # also what the server has left behind
    server.wait()


if __name__ == "__main__":
    sys.exit(guard(int(sys.argv[1]), sys.argv[2:]))
