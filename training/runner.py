"""Supervises a training run: a process tree of its own, whose events become rows.

The run directory is the contract between the two. The process gets no address of the database or the broker. If this
worker is killed, the kernel ends the process too; whoever claims the run next resumes from the newest checkpoint.
"""

import fcntl
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil
from django.conf import settings

from core import devices
from core.devices import Grant
from core.jobs import JobCancelled, JobFailed, JobPaused, StaleAttempt
from training import endings, recording, run_directory
from training.algorithms.checkpoints import newest_step
from training.algorithms.failures import is_disk_full
from training.algorithms.run import SUPERVISOR_PID
from training.algorithms.spec import REFERENCE_CACHE, VLLM_PYTHON
from training.algorithms.token_limit import halve_token_limit
from training.endings import Ending, Retries
from training.event_tail import EventTail
from training.models import TrainingRun
from training.provenance import provenance_of
from training.watchdog import Watchdog

log = logging.getLogger(__name__)
MODULE = "training.algorithms.run"
LAUNCHER = "training.algorithms.launch"  # of several processes
POLL_SECONDS = 0.5
GRACE_SECONDS = 30.0  # between SIGTERM and SIGKILL
SHUTDOWN_SECONDS = 10.0  # the same when the worker itself has to go
ORPHAN_SECONDS = 20.0  # how long a predecessor that lost its worker may take to save and go, before it is killed
LOCK_SECONDS = 60.0  # how long anything else may keep the run directory
LOG_CHARACTERS = 16_000
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
PASSED_PREFIXES = (
    "HF_", "CUDA_", "NVIDIA_", "OMP_", "MKL_", "MALLOC_", "TORCH_", "VLLM_", "COVERAGE_", "COV_", "PYTHON",
)  # fmt: skip


def train(run: TrainingRun) -> None:
    """Start or resume the training process and follow it to its end. Raises `JobFailed` with its own reason."""
    try:
        _train(run)
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise _disk_full(run, str(error)) from error


def _train(run: TrainingRun) -> None:
    sha256 = run_directory.prepare(run)
    if run.spec_sha256 != sha256:
        run.spec_sha256, run.provenance = sha256, provenance_of(run)
        run.save(update_fields=["spec_sha256", "provenance"])
    with (
        _locked(run.folder) as lock,
        (run.folder / "process.log").open("ab") as log,
        devices.granted(run, num=num_devices(run)) as grant,
    ):
        tail, retries = EventTail(run.folder / "events.jsonl"), Retries()
        ending = _run_once(run, tail, grant, lock, log)
        while not ending.is_success:
            if not retries.allow(ending):
                raise JobFailed(ending.error, failure_kind=ending.kind)
            _prepare_retry(run, ending, log)
            ending = _run_once(run, tail, grant, lock, log)


def num_devices(run: TrainingRun) -> int:
    """How many devices the run's configuration asks for; one where it does not say, or says nonsense."""
    wanted = run.config.get("num_devices", 1)
    return wanted if isinstance(wanted, int) and wanted > 0 else 1


def _run_once(run: TrainingRun, tail: EventTail, grant: Grant, lock: IO[bytes], log: IO[bytes]) -> Ending:
    """One process from start to end."""
    (run.folder / "failure.json").unlink(missing_ok=True)
    num_kills = endings.num_memory_kills()
    process = _start(run.folder, grant, lock, log)
    try:
        exit_code, silence = _follow(run, process, tail)
    except StaleAttempt:
        _kill(process)
        raise
    except BaseException:  # this worker stops or stumbles: let the process save what it has
        _stop(process)
        raise
    return Ending(
        exit_code=exit_code,
        written=_written_reason(run.folder / "failure.json"),
        silence=silence,
        has_memory_run_out=endings.num_memory_kills() > num_kills,
        free_bytes=shutil.disk_usage(run.folder).free,
        newest_step=newest_step(run.folder / "checkpoints"),
    )


def _prepare_retry(run: TrainingRun, ending: Ending, log: IO[bytes]) -> None:
    """Say that the run goes on from its newest checkpoint, with smaller forward passes if the memory ran out."""
    words = f"{ending.kind} ({ending.cause}): going on from the newest checkpoint."
    if ending.wants_smaller:
        limit = halve_token_limit(run.folder, configured=int(run.config["micro_batch_tokens"]))
        words += f" Forward passes are cut to {limit} tokens; the loss does not change by it."
    log.write(f"{words}\n".encode())
    log.flush()


def _start(folder: Path, grant: Grant, lock: IO[bytes], log: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", MODULE, str(folder)]
    if len(grant.devices) > 1:
        command = [sys.executable, "-m", LAUNCHER, str(folder), str(len(grant.devices))]
    return subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env={**_environment(), **grant.environment},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # a process group of its own: one signal reaches the whole tree
        pass_fds=[lock.fileno()],  # the directory stays locked until the last of the tree is gone
    )


def _environment() -> dict[str, str]:
    """What the training process may know: no secret, no address of the database or the broker."""
    passed = {
        name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith(PASSED_PREFIXES)
    }
    cache = str(Path(settings.RUNS_DIR) / "reference-cache")
    return {**passed, SUPERVISOR_PID: str(os.getpid()), REFERENCE_CACHE: cache, **_vllm()}


def _vllm() -> dict[str, str]:
    """Where PPO finds the interpreter that samples its rollouts, if `make vllm` has made one."""
    python = Path(settings.VLLM_DIR) / "bin" / "python"
    return {VLLM_PYTHON: str(python)} if python.exists() else {}


def _follow(run: TrainingRun, process: subprocess.Popen[bytes], tail: EventTail) -> tuple[int, float | None]:
    """Record events until the process ends; pass a wish to stop on as SIGTERM, and end one that has stalled.

    Returns its exit code, and the seconds of silence after which it was ended, None if it was not.
    """
    deadline: float | None = None
    silence: float | None = None
    watchdog: Watchdog | None = None
    while True:
        exit_code = process.poll()  # before reading, so that the last events are not missed
        try:
            events = tail.read()
            if watchdog is None:  # what an earlier process wrote is no sign of life of this one
                watchdog = Watchdog(floor_seconds=settings.STALL_SECONDS)
            elif events:
                watchdog.heard()
            recording.record(run, events, log_tail=_log_tail(run.folder, tail.messages))
        except (JobCancelled, JobPaused) as wish:
            if exit_code is not None and (isinstance(wish, JobCancelled) or _is_stopped(exit_code)):
                raise
            deadline = deadline or _ask_to_stop(process)
        if exit_code is not None:
            return exit_code, silence
        if deadline is None and watchdog and watchdog.is_stalled:
            silence, deadline = watchdog.silence, _ask_to_stop(process)
        if deadline is not None and time.monotonic() > deadline:
            _kill(process)
        time.sleep(POLL_SECONDS)


def _is_stopped(exit_code: int) -> bool:
    """Whether the process ended because it was asked to, or would not and was killed; not by itself."""
    return exit_code < 0 or exit_code == endings.STOPPED_BY_SIGTERM


def _ask_to_stop(process: subprocess.Popen[bytes]) -> float:
    with suppress(ProcessLookupError):  # it has ended this moment
        os.killpg(process.pid, signal.SIGTERM)
    return time.monotonic() + GRACE_SECONDS


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL if it does not end within the grace of a worker that is being shut down."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=SHUTDOWN_SECONDS)
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _written_reason(path: Path) -> dict[str, Any] | None:
    """What failure.json says; None if there is none, or only half of one."""
    try:
        reason: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return reason


def _disk_full(run: TrainingRun, detail: str) -> JobFailed:
    return JobFailed(
        f"The disk of {run.folder} is full: {detail}. Free some space and start the run again.",
        failure_kind="disk_full",
    )


def _log_tail(folder: Path, messages: Sequence[str] = ()) -> str:
    """What the process said: its messages, then whatever it or its libraries printed."""
    printed = _printed(folder)
    return "\n".join([*messages, printed] if printed else messages)


def _printed(folder: Path) -> str:
    path = folder / "process.log"
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_CHARACTERS))
        return file.read().decode(errors="replace").replace("\x00", "")


@contextmanager
def _locked(folder: Path) -> Iterator[IO[bytes]]:
    """Hold the run directory; a predecessor's process tree gets a moment to die, then it is killed."""
    with (folder / ".lock").open("ab") as lock:
        began = time.monotonic()
        while not _takes(lock):
            waited = time.monotonic() - began
            if waited > LOCK_SECONDS:
                raise StaleAttempt(f"Another process still trains in {folder}.")
            if waited > ORPHAN_SECONDS:
                _kill_orphans(folder)
            time.sleep(POLL_SECONDS)
        yield lock


def _takes(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _kill_orphans(folder: Path) -> None:
    """End training processes of this directory whose worker is gone; one whose worker lives is not ours to end."""
    for process in psutil.process_iter(["cmdline", "ppid"]):
        command = process.info["cmdline"] or []
        is_trainer = (MODULE in command or LAUNCHER in command) and str(folder) in command
        if is_trainer and process.info["ppid"] != os.getpid() and not _has_worker(process):
            log.warning("the training process %s in %s does not end by itself: killed", process.pid, folder)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(os.getpgid(process.pid), signal.SIGKILL)


def _has_worker(process: psutil.Process) -> bool:
    """Whether the process that started it still is its parent: orphans are adopted by another one."""
    with suppress(psutil.Error):
        return process.environ().get(SUPERVISOR_PID) == str(process.ppid())
    return False
