"""The process that samples with vLLM: started, spoken to and ended by the training process that owns it."""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, cast

from training.algorithms import vllm_worker
from training.algorithms.failures import TrainingFailure

START_SECONDS: Final = 900.0  # for kernels to compile and weights to load
REPLY_SECONDS: Final = 1800.0  # for a whole rollout
END_SECONDS: Final = 10.0  # between the end of its orders and SIGKILL
SEARCHED_LINES: Final = 60  # of its log, for the error that ended it
LAST_LINES: Final = 8
# Variables of this process that vLLM may see.
PASSED_ON: Final = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "XDG_CACHE_HOME")
PASSED_PREFIXES: Final = ("LC_", "HF_", "VLLM_", "CUDA_", "NVIDIA_", "NCCL_", "TORCH", "TRITON_")


class SamplerFailed(TrainingFailure):
    """vLLM could not be started, ended by itself, or did not answer."""

    def __init__(self, what: str) -> None:
        advice = 'Mend what it says, or set rollout_engine to "in_process".'
        super().__init__("model_error", f"The vLLM process of the rollouts {what} {advice}")


class VllmProcess:
    """A running `vllm_worker.py`. What it prints is appended to `log`."""

    def __init__(self, python: Path, settings: Mapping[str, Any], *, log: Path, num_threads: int) -> None:
        """Start it and wait until it has loaded the model. Raises `SamplerFailed`."""
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(python), "-I", vllm_worker.__file__, str(os.getpid())],
                cwd=log.parent,
                env=worker_environment(os.environ, num_threads=num_threads),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
            )
        self._orders, self._answers = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        try:
            self._exchange(settings, seconds=START_SECONDS)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(self, order: str, **arguments: Any) -> dict[str, Any]:
        """The answer to an order of `vllm_worker.Worker`. Raises `SamplerFailed`."""
        return self._exchange({"order": order, **arguments}, seconds=REPLY_SECONDS)

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self._orders.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()

    def _exchange(self, message: Mapping[str, Any], *, seconds: float) -> dict[str, Any]:
        try:
            self._orders.write(json.dumps(message).encode() + b"\n")
            self._orders.flush()
        except OSError as error:
            raise self._ended() from error
        answer: dict[str, Any] = json.loads(self._line(seconds))
        if "error" in answer:
            raise SamplerFailed(f"failed: {answer['error']}\nIts log is {self._log}.")
        return answer

    def _line(self, seconds: float) -> bytes:
        """The next line that it writes."""
        deadline = time.monotonic() + seconds
        parts: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            selector.register(self._answers, selectors.EVENT_READ)
            while not (parts and parts[-1].endswith(b"\n")):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self._process.kill()
                    raise SamplerFailed(f"did not answer within {seconds:.0f} s. Its log is {self._log}.")
                part = os.read(self._answers.fileno(), 2**20)
                if not part:
                    raise self._ended()
                parts.append(part)
        return b"".join(parts)

    def _ended(self) -> SamplerFailed:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-SEARCHED_LINES:]
        named = [line for line in lines if re.search(r"\w(Error|Exception): ", line) and "WARNING" not in line]
        said = "\n".join(named[-1:] or lines[-LAST_LINES:])
        return SamplerFailed(f"ended with exit code {self._process.returncode}. From its log, {self._log}:\n{said}\n")


def worker_environment(inherited: Mapping[str, str], *, num_threads: int) -> dict[str, str]:
    """The variables of the process: those of this one that vLLM needs, and what is pinned."""
    passed = {name: value for name, value in inherited.items() if name in PASSED_ON or name.startswith(PASSED_PREFIXES)}
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    pinned = {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the engine lives and dies with the one process
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "TQDM_DISABLE": "1",
        "OMP_WAIT_POLICY": "PASSIVE",  # the trainer computes while it waits
    }
    bound = {"VLLM_CPU_OMP_THREADS_BIND": ",".join(str(core) for core in list(cores)[:num_threads])}
    return {**bound, **passed, **pinned}
