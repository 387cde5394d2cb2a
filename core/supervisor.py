"""Starts Concord's processes, keeps their output in files, and stops all of them when one dies or Ctrl-C comes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from core.errors import ConcordError

GRACE_SECONDS = 20.0  # between SIGTERM and SIGKILL
MOST_WEB_PROCESSES = 4  # one a core, up to these: each takes 150 MB
MOST_SERVED = 2  # vLLM servers at once that were started from a page
MAX_RESTARTS = 3  # of one program; jobs of a killed worker are resumed by the next one


class PortBusy(ConcordError):
    """Another program listens where the web server should."""

    title = "The port is taken"


class ProcessDied(ConcordError):
    """One of the supervised processes ended by itself."""

    title = "A process of Concord ended"


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process: its name and command line."""

    name: str
    command: Sequence[str]
    stop_signal: signal.Signals = signal.SIGTERM


def programs(*, port: int, num_light: int = 2) -> list[Program]:
    """The web server, a worker for each queue, and beat."""
    num_web = min(MOST_WEB_PROCESSES, os.cpu_count() or 1)
    gunicorn = [sys.executable, "-m", "gunicorn", "config.wsgi", f"--workers={num_web}", "--threads=8"]
    celery = [sys.executable, "-m", "celery", "-A", "config.celery"]
    worker = [*celery, "worker", "--without-gossip", "--without-mingle", "--loglevel=INFO"]
    return [
        Program(name="web", command=[*gunicorn, f"--bind=127.0.0.1:{port}"]),
        # SIGQUIT: do not wait for running jobs, which may take hours; they are handed back and resumed later.
        Program(
            name="light",
            command=[*worker, "-Qlight", f"--concurrency={num_light}", "--hostname=light@%h"],
            stop_signal=signal.SIGQUIT,
        ),
        Program(
            name="gpu",
            command=[*worker, "-Qgpu", "--concurrency=1", "--hostname=gpu@%h"],
            stop_signal=signal.SIGQUIT,
        ),
        Program(
            name="serving",
            command=[*worker, "-Qserving", f"--concurrency={MOST_SERVED}", "--hostname=serving@%h"],
            stop_signal=signal.SIGQUIT,
        ),
        Program(name="beat", command=[*celery, "beat", "--loglevel=WARNING"]),
    ]


def require_free_port(port: int) -> None:
    """Raises `PortBusy` with the remedy."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortBusy(
                f"Port {port} cannot be used ({error.strerror}). Stop what listens there, "
                f"or choose another one, for instance PORT={port + 1}."
            ) from error


def stop_on_signals() -> None:
    """Let SIGTERM and a closing terminal end this process as Ctrl-C does; what `nohup` ignores stays ignored."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)


class Supervisor:
    """Runs programs side by side, each in a process group of its own and with a log file under `log_dir`."""

    def __init__(self, wanted: Sequence[Program], *, log_dir: Path, cwd: Path) -> None:
        self._wanted = wanted
        self._log_dir = log_dir
        self._cwd = cwd
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._num_restarts: Counter[str] = Counter()
        self._logs: list[IO[bytes]] = []

    def __enter__(self) -> Self:
        self._log_dir.mkdir(parents=True, exist_ok=True)
        try:
            for program in self._wanted:
                self._start(program)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, program: Program) -> None:
        log = (self._log_dir / f"{program.name}.log").open("ab")
        self._logs.append(log)
        self._running[program.name] = subprocess.Popen(
            program.command,
            cwd=self._cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops the others in order
        )

    def pids(self) -> dict[str, int]:
        """The process id of each program, by name."""
        return {name: process.pid for name, process in self._running.items()}

    def check(self) -> None:
        """Start programs that have ended again. Raises `ProcessDied` with the end of its log if one keeps ending."""
        for program in self._wanted:
            process = self._running[program.name]
            if process.poll() is None:
                continue
            if self._num_restarts[program.name] == MAX_RESTARTS:
                raise ProcessDied(self._last_words(program.name, process.returncode))
            _kill_group(process)  # a killed worker leaves its children behind
            self._num_restarts[program.name] += 1
            self._start(program)

    def _last_words(self, name: str, exit_code: int) -> str:
        path = self._log_dir / f"{name}.log"
        lines = path.read_text(errors="replace").splitlines()[-12:]
        return (
            f"The {name} process keeps ending, now with exit code {exit_code}. Its last lines, from {path}:\n"
            + "\n".join(lines)
        )

    def wait_for_port(self, port: int, *, seconds: float = 60.0) -> None:
        """Until the web server answers. Raises `ProcessDied` if it will not."""
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if time.monotonic() > deadline:
                raise ProcessDied(f"The web server did not answer on port {port} within {seconds:.0f} s.")
            time.sleep(0.1)

    def stop(self) -> None:
        """Ask all to stop, then SIGKILL what is left of their groups. A second Ctrl-C cuts the waiting short."""
        try:
            self._ask_to_stop()
        finally:
            for process in self._running.values():
                _kill_group(process)
                process.wait()
            for log in self._logs:
                log.close()
            self._running.clear()

    def _ask_to_stop(self) -> None:
        for program in self._wanted:
            process = self._running.get(program.name)
            if process is not None and process.poll() is None:
                process.send_signal(program.stop_signal)
        deadline = time.monotonic() + GRACE_SECONDS
        for process in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.1, deadline - time.monotonic()))


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of a program's process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
