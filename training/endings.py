"""How a training process ended, what that is called, and whether it is worth another try. No Django here."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

STOPPED_BY_SIGTERM: Final = 143
FULL_DISK_BYTES: Final = 2**20  # with less free space than this, a process may be unable to write down why it failed
# How often each kind is tried again from the newest checkpoint. What is not here has a reason, and would have it again.
RETRIES: Final = {"process-died": 2, "stall": 1, "unknown": 1}
SMALLER_RETRIES: Final = 3  # each with forward passes of half as many tokens, where memory ran out
# A process that was killed, yet got further than the one before, starts a new count: its machine may be pre-emptible.
FORGIVEN: Final = ("process-died",)
KERNEL_COUNTERS: Final = Path("/proc/vmstat")


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The end of one process, as its supervisor saw it."""

    exit_code: int  # negative: the signal that killed it
    written: Mapping[str, Any] | None = None  # its own account: kind, error, and perhaps may_shrink
    silence: float | None = None  # seconds without an event after which it was stopped; None: it was not
    has_memory_run_out: bool = False  # the kernel killed something for want of memory while it ran
    free_bytes: int = FULL_DISK_BYTES  # of the disk with the run directory
    newest_step: int = 0  # of its newest checkpoint

    @property
    def is_success(self) -> bool:
        """Whether the run is finished."""
        return self.exit_code == 0

    @property
    def kind(self) -> str:
        """The name of what happened."""
        if self.silence is not None:
            return "stall"
        if self.written is not None:
            return str(self.written["kind"])
        if self.exit_code == STOPPED_BY_SIGTERM:
            return "stopped"
        if self.exit_code > 0 and self.free_bytes < FULL_DISK_BYTES:
            return "disk_full"
        if self.exit_code == -signal.SIGKILL and self.has_memory_run_out:
            return "host_out_of_memory"
        return "process-died"

    @property
    def wants_smaller(self) -> bool:
        """Whether forward passes of fewer tokens might do: memory ran out, and not on a single example."""
        return self.kind == "host_out_of_memory" or bool(self.written and self.written.get("may_shrink"))

    @property
    def cause(self) -> str:
        """The signal or the exit code."""
        return f"signal {-self.exit_code}" if self.exit_code < 0 else f"exit code {self.exit_code}"

    @property
    def error(self) -> str:
        """What was wrong, and what to do."""
        if self.written is not None and self.kind == self.written["kind"]:
            return str(self.written["error"])
        return ADVICE[self.kind].format(cause=self.cause, silence=self.silence or 0.0)


ADVICE: Final = {
    "stall": "The run gave no sign of progress for {silence:.0f} s. Look at the end of its log: a hanging file system, "
    "device or network are the usual causes. If its steps really take so long, raise CONCORD_STALL_SECONDS. Resume it "
    "to go on from its newest checkpoint.",
    "stopped": "The training process was stopped from outside after saving a checkpoint. Resume the run to go on.",
    "disk_full": "The disk of the run directory is full: the training process ended with {cause} and could not write "
    "down why. Free some space and resume the run.",
    "host_out_of_memory": "The memory of the machine ran out and the kernel ended the training process, with smaller "
    "forward passes too. Lower max_prompt_tokens, max_completion_tokens or batch_size, train a smaller model, or let "
    "fewer jobs run at once.",
    "process-died": "The training process ended with {cause} and left no reason. Signal 9 is what the kernel sends "
    "when memory runs out, and what kill -9 sends. The end of the log may say more.",
}


@dataclass
class Retries:
    """What has been tried again so far, by kind."""

    used: dict[str, int] = field(default_factory=dict)
    _newest_step: int = 0

    def allow(self, ending: Ending) -> bool:
        """Whether to start another process after this ending; counts it."""
        if ending.newest_step > self._newest_step:
            self._newest_step = ending.newest_step
            self.used = {kind: num for kind, num in self.used.items() if kind not in FORGIVEN}
        self.used[ending.kind] = self.used.get(ending.kind, 0) + 1
        most = SMALLER_RETRIES if ending.wants_smaller else RETRIES.get(ending.kind, 0)
        return self.used[ending.kind] <= most


def num_memory_kills() -> int:
    """How many processes the kernel has killed for want of memory since it started; 0 where it does not say."""
    try:
        lines = KERNEL_COUNTERS.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
