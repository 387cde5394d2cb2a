"""`manage.py serve` as a user runs it: a process that is started, asked, and stopped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from tests import workers
from tests.workers import ChildProcess, free_port, start_process, wait_until

pytestmark = [pytest.mark.workers]

SECONDS = 180.0


@pytest.fixture
def var_dir() -> Iterator[Path]:
    """An empty data folder that the server's own user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="concord-serve-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def serve(var_dir: Path, tmp_path: Path) -> Iterator[Callable[..., ChildProcess]]:
    """`serve(port=…, **environment)` starts the command in a process group of its own."""
    started: list[ChildProcess] = []

    def start(*, port: int, **environment: str) -> ChildProcess:
        arguments = [sys.executable, "manage.py", "serve", "--port", str(port)]
        variables = {"CONCORD_VAR_DIR": str(var_dir), "PYTHONUNBUFFERED": "1", **environment}
        started.append(start_process(arguments, log_path=tmp_path / "serve.log", environment=variables))
        return started[-1]

    yield start
    for process in started:
        children = family(process) if process.popen.poll() is None else []
        process.kill()
        for child in children:
            child.kill()


def wait_for_words(process: ChildProcess, words: str) -> None:
    wait_until(lambda: words in process.log, seconds=SECONDS, why=lambda: process.log, child=process)


def family(process: ChildProcess) -> list[psutil.Process]:
    """Everything that the process has started, whatever group it is in."""
    return psutil.Process(process.pid).children(recursive=True)


def of_folder(folder: Path) -> list[str]:
    """Command lines of living processes that name the folder, such as its PostgreSQL."""
    commands = (" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))
    return [command for command in commands if str(folder) in command]


def test_a_first_start_makes_a_database_of_its_own_and_ctrl_c_leaves_no_process(
    serve: Callable[..., ChildProcess], var_dir: Path
) -> None:
    port = free_port()
    process = serve(port=port, DATABASE_URL="", SECRET_KEY="")
    wait_for_words(process, f"Concord is running at http://127.0.0.1:{port}/")
    with urlopen(f"http://127.0.0.1:{port}/sign-in/", timeout=60) as response:
        assert response.status == 200
    wait_until(lambda: " ready." in (var_dir / "log" / "gpu.log").read_text(), seconds=SECONDS)
    children = family(process)
    assert len(children) >= 4
    assert of_folder(var_dir)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does at Ctrl-C
    assert process.popen.wait(SECONDS) == 0, process.log
    assert process.log.endswith("Stopped.\n")
    assert [child for child in children if child.is_running()] == []
    assert of_folder(var_dir) == []
    assert (var_dir / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_process(
    serve: Callable[..., ChildProcess], var_dir: Path, number: signal.Signals
) -> None:
    process = serve(port=free_port(), DATABASE_URL=workers.test_database_url())
    wait_for_words(process, "Concord is running at")
    children = family(process)
    os.kill(process.pid, number)
    assert process.popen.wait(SECONDS) == 0, process.log
    assert [child for child in children if child.is_running()] == []


@pytest.mark.django_db(transaction=True)
def test_an_impatient_second_ctrl_c_leaves_no_process_either(serve: Callable[..., ChildProcess]) -> None:
    process = serve(port=free_port(), DATABASE_URL=workers.test_database_url())
    wait_for_words(process, "Concord is running at")
    children = family(process)
    web = next(child for child in children if "gunicorn" in " ".join(child.cmdline()))
    os.kill(process.pid, signal.SIGINT)
    wait_until(lambda: not web.is_running() or web.status() == psutil.STATUS_ZOMBIE, seconds=SECONDS)
    os.kill(process.pid, signal.SIGINT)
    process.popen.wait(SECONDS)
    assert [child for child in children if child.is_running()] == []


@pytest.mark.django_db(transaction=True)
def test_a_busy_port_is_a_named_error_before_anything_starts(serve: Callable[..., ChildProcess], var_dir: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        process = serve(port=port, DATABASE_URL=workers.test_database_url())
        assert process.popen.wait(SECONDS) == 1
    assert f"The port is taken: Port {port} cannot be used" in process.log
    assert "Traceback" not in process.log
    assert not (var_dir / "log").exists()


def test_an_unreachable_database_is_a_named_error(serve: Callable[..., ChildProcess], var_dir: Path) -> None:
    process = serve(port=free_port(), DATABASE_URL=f"postgresql://alice@127.0.0.1:{free_port()}/concord")
    assert process.popen.wait(SECONDS) == 1
    assert "The database cannot be reached" in process.log
    assert "Traceback" not in process.log
    assert not (var_dir / "log").exists()
