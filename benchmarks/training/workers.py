"""The two sides of a comparison as processes, and the settings that both run under."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.algorithms.spec import REFERENCE_CACHE, VLLM_PYTHON

ROOT = Path(__file__).parents[2]
PEER_PYTHONS = {"trl": ROOT / ".venv-trl/bin/python", "trl_ppo": ROOT / ".venv-trl-ppo/bin/python"}
# glibc keeps freed memory instead of giving it back to the kernel after every step, on both sides.
MALLOC = {
    "MALLOC_TRIM_THRESHOLD_": str(4 << 30),
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}


class WorkerFailed(Exception):
    """A side of the comparison could not do its job; its last words are the message."""


class Worker:
    """A warm process that does one job at a time."""

    def __init__(self, python: Path, module: str, folder: Path, *, threads: int) -> None:
        self._log = folder / f"{module}.log"
        self._folder = folder
        self._threads = threads
        environment = {**os.environ, **MALLOC, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
        environment |= {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"}
        environment["HF_DATASETS_CACHE"] = str(folder / "datasets")
        environment.pop(REFERENCE_CACHE, None)  # every run pays for its reference
        environment[VLLM_PYTHON] = str(our_vllm())
        self.process = subprocess.Popen(
            [str(python), "-m", module],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            text=True,
        )
        self._answer()

    def do(self, **job: Any) -> dict[str, Any]:
        """Hand over a job and wait for what it measured. Raises `WorkerFailed`."""
        assert self.process.stdin is not None
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".json") as result:
            self.process.stdin.write(json.dumps({"threads": self._threads, **job, "result": result.name}) + "\n")
            self.process.stdin.flush()
            if self._answer() != "0":
                raise WorkerFailed(self._log.read_text()[-3000:])
            return dict(json.loads(Path(result.name).read_text()))

    def _answer(self) -> str:
        assert self.process.stdout is not None
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise WorkerFailed(self._log.read_text()[-3000:])
        return answer

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


@contextmanager
def worker(python: Path, module: str, folder: Path, *, threads: int) -> Iterator[Worker]:
    """A worker that ends with the block."""
    started = Worker(python, f"benchmarks.training.{module}", folder, threads=threads)
    try:
        yield started
    finally:
        started.close()


def our_vllm() -> Path:
    """The interpreter of vLLM's environment, whether it is there or not."""
    return ROOT / ".venv-vllm/bin/python"


def our_python() -> Path:
    """The interpreter that runs this program."""
    return Path(sys.executable)
