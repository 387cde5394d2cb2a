"""Real processes for tests: Redis, Celery workers, beat."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import kombu.pools
from celery import current_app
from django.conf import settings
from django.db import connection
from kombu.transport.sqlalchemy import Channel

from core.broker import QUEUES

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0


@dataclass(frozen=True)
class ChildProcess:
    """A process group that a test started, and its log."""

    popen: subprocess.Popen[bytes]
    log_path: Path
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL to the whole group: no goodbye, no cleaning up."""
        self._signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self, *, grace_seconds: float = 20.0) -> int:
        """Its own signal to stop, then SIGKILL; returns the exit status."""
        self._signal(self.stop_signal, group=False)
        try:
            self.popen.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
        else:
            self._signal(signal.SIGKILL)  # whatever of the group outlived its leader
        return self.popen.wait()

    def _signal(self, number: signal.Signals, *, group: bool = True) -> None:
        try:
            if group:
                os.killpg(self.popen.pid, number)
            else:
                os.kill(self.popen.pid, number)
        except ProcessLookupError:
            return


def start_process(
    arguments: list[str],
    *,
    log_path: Path,
    environment: dict[str, str] | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> ChildProcess:
    """Start a program in a process group of its own, with its output in a file."""
    with log_path.open("wb") as log:
        popen = subprocess.Popen(
            arguments,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return ChildProcess(popen, log_path, stop_signal)


def start_worker(
    *, broker_url: str, log_path: Path, queues: str = "light,gpu", pool: str = "solo", concurrency: int = 1
) -> ChildProcess:
    """A Celery worker on the test database, ready to take jobs."""
    options = f"-Q {queues} -P {pool} -c {concurrency} -n {log_path.stem}@%h --without-gossip --without-mingle -l INFO"
    worker = start_process(
        [sys.executable, "-m", "celery", "-A", "config.celery", "worker", *options.split()],
        log_path=log_path,
        environment=child_environment(broker_url),
        stop_signal=signal.SIGQUIT,  # as the supervisor does: hand running jobs back instead of finishing them
    )
    wait_until(lambda: " ready." in worker.log, why=lambda: f"the worker is not ready:\n{worker.log}", child=worker)
    return worker


def start_beat(*, broker_url: str, log_path: Path) -> ChildProcess:
    """Celery's beat on the test database, ringing the schedule of the settings."""
    return start_process(
        [sys.executable, "-m", "celery", "-A", "config.celery", "beat", "-l", "INFO", "--pidfile="],
        log_path=log_path,
        environment=child_environment(broker_url),
    )


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A `redis-server` on a free port; yields its URL."""
    port = free_port()
    server = start_process(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        log_path=folder / "redis.log",
    )
    try:
        wait_until(lambda: "Ready to accept connections" in server.log, why=lambda: server.log, child=server)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.stop()


@contextmanager
def celery_on(url: str) -> Iterator[None]:
    """This process's Celery on another broker, whose queues are emptied first."""
    app = current_app._get_current_object()
    before = app.conf.broker_url
    _point(app, url)
    with app.connection_for_write() as broker:
        for queue in QUEUES:
            broker.SimpleQueue(queue).clear()
    try:
        yield
    finally:
        _point(app, before)


def stop_all(children: Sequence[ChildProcess]) -> None:
    """Stop processes side by side."""
    with ThreadPoolExecutor(max(1, len(children))) as pool:
        list(pool.map(ChildProcess.stop, children))


def _point(app: Any, url: str) -> None:
    """Close what is open to the old broker, and forget it."""
    kombu.pools.reset()
    app._pool = None
    app.amqp._producer_pool = None
    while Channel._engines:
        engine, _ = Channel._engines.popitem()[1]
        engine.dispose()
    app.conf.broker_url = app.conf.broker_read_url = app.conf.broker_write_url = url
    app.conf.broker_transport_options = {"pool_pre_ping": True} if url.startswith("sqla+") else {}


def child_environment(broker_url: str) -> dict[str, str]:
    """What makes a child process work on the test database instead of the real one."""
    return {
        "DATABASE_URL": test_database_url(),
        "CELERY_BROKER_URL": broker_url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "CONCORD_VAR_DIR": str(settings.VAR_DIR),
    }


def test_database_url() -> str:
    """The address of the database that pytest-django made."""
    parts = connection.settings_dict
    login = quote(parts["USER"]) + (f":{quote(parts['PASSWORD'])}" if parts["PASSWORD"] else "")
    name = quote(parts["NAME"])
    if str(parts["HOST"]).startswith("/"):
        return f"postgresql://{login}@/{name}?host={quote(parts['HOST'], safe='/')}"
    port = f":{parts['PORT']}" if parts["PORT"] else ""
    return f"postgresql://{login}@{parts['HOST']}{port}/{name}"


test_database_url.__test__ = False  # type: ignore[attr-defined] # a name, not a test


def wait_until(
    condition: Callable[[], bool],
    *,
    seconds: float = START_SECONDS,
    why: Callable[[], str] = lambda: "it did not happen",
    child: ChildProcess | None = None,
) -> None:
    """Return once `condition` holds; raise `AssertionError` with `why()` if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if child is not None and child.popen.poll() is not None:
            raise AssertionError(f"the process ended with {child.popen.returncode}:\n{child.log}")
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s: {why()}")
        time.sleep(0.05)


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
