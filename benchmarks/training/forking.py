"""A process that imports slow libraries once and forks for every job: its children start warm and end clean.

A job is one line of JSON on standard input, {"result": path, …}; the answer is one line with the child's exit code
on the channel that was standard output, and the child's measurements as JSON at that path. Only the standard library
is needed here: this runs in the peers' environments too.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

Job = dict[str, Any]


def serve(perform: Callable[[Job], Job]) -> None:
    """Answer jobs until standard input ends. What jobs print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(carry_out(perform, json.loads(line)))
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


def carry_out(perform: Callable[[Job], Job], job: Job) -> int:
    """One job in this process: its measurements and its memory, written down; the exit code."""
    before = resident_bytes()
    try:
        measured = perform(job)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        return 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    Path(job["result"]).write_text(json.dumps({**measured, "peak_bytes": peak, "bytes_before": before}))
    return 0


def resident_bytes() -> int:
    """Resident memory of this process now: what its imports take, before it has done anything."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
