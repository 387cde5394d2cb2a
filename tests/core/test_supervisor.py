from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from core.supervisor import MAX_RESTARTS, PortBusy, ProcessDied, Program, Supervisor, programs, require_free_port
from tests.workers import free_port, wait_until

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(1000)"]
# A worker with a child of its own, which it would leave behind if it were killed.
PARENT = "import subprocess, sys, time; print(subprocess.Popen(['sleep', '1000']).pid, flush=True); time.sleep(1000)"


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def supervise(tmp_path: Path) -> Callable[..., Supervisor]:
    """`supervise(name=command)` is a supervisor of these programs that has not started yet."""

    def make(**commands: list[str]) -> Supervisor:
        wanted = [Program(name=name, command=command) for name, command in commands.items()]
        return Supervisor(wanted, log_dir=tmp_path, cwd=tmp_path)

    return make


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_taken_port_is_named_with_a_remedy(busy_port: int) -> None:
    with pytest.raises(PortBusy, match=f"Port {busy_port} cannot be used .*PORT={busy_port + 1}"):
        require_free_port(busy_port)


def test_a_free_port_is_left_free() -> None:
    port = free_port()
    require_free_port(port)
    require_free_port(port)


def test_every_program_runs_with_a_log_and_ends_with_the_supervisor(
    supervise: Callable[..., Supervisor], tmp_path: Path
) -> None:
    with supervise(first=SLEEP, second=SLEEP) as supervisor:
        pids = supervisor.pids()
        wait_until(lambda: all((tmp_path / f"{name}.log").read_text() == "up\n" for name in pids))
        supervisor.check()
        assert all(map(is_alive, pids.values()))
    assert set(pids) == {"first", "second"}
    assert not any(map(is_alive, pids.values()))


def test_an_error_inside_stops_all_programs_too(supervise: Callable[..., Supervisor]) -> None:
    pids: dict[str, int] = {}

    def be_interrupted() -> None:
        with supervise(first=SLEEP) as supervisor:
            pids.update(supervisor.pids())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()
    assert pids
    assert not any(map(is_alive, pids.values()))


def test_a_program_that_cannot_start_takes_the_others_down(supervise: Callable[..., Supervisor]) -> None:
    supervisor = supervise(first=SLEEP, second=["/does/not/exist"])
    with pytest.raises(FileNotFoundError), supervisor:
        pytest.fail("it started")
    children = [child.cmdline() for child in psutil.Process().children()]
    assert SLEEP not in children


def test_a_killed_program_is_started_again_and_its_children_are_not_left_behind(
    supervise: Callable[..., Supervisor], tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with supervise(worker=[sys.executable, "-c", PARENT]) as supervisor:
        wait_until(lambda: log.read_text().count("\n") == 1)
        first, child = supervisor.pids()["worker"], int(log.read_text())
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: not is_alive(first))
        supervisor.check()
        wait_until(lambda: not is_alive(child))
        assert supervisor.pids()["worker"] != first
        wait_until(lambda: log.read_text().count("\n") == 2)
        grandchild = int(log.read_text().split()[1])
    wait_until(lambda: not is_alive(grandchild))


def test_a_program_that_keeps_ending_is_a_named_error_with_its_last_lines(
    supervise: Callable[..., Supervisor], tmp_path: Path
) -> None:
    def check_for_ever(supervisor: Supervisor) -> None:
        while True:
            supervisor.check()

    command = [sys.executable, "-c", "print('no database'); raise SystemExit(3)"]
    with supervise(worker=command) as supervisor, pytest.raises(ProcessDied, match="now with exit code 3") as raised:
        check_for_ever(supervisor)
    assert raised.value.detail.splitlines()[-1] == "no database"
    assert (tmp_path / "worker.log").read_text().count("no database") == 1 + MAX_RESTARTS


def test_a_program_deaf_to_its_signal_is_killed(
    supervise: Callable[..., Supervisor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.supervisor.GRACE_SECONDS", 0.2)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(1000)"
    with supervise(deaf=[sys.executable, "-c", deaf]) as supervisor:
        wait_until(lambda: (tmp_path / "deaf.log").read_text() == "up\n")
        pid = supervisor.pids()["deaf"]
    assert not is_alive(pid)


def test_waiting_for_a_port_ends_when_somebody_listens(supervise: Callable[..., Supervisor]) -> None:
    port = free_port()
    with supervise(web=[sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]) as supervisor:
        supervisor.wait_for_port(port)
        with socket.create_connection(("127.0.0.1", port)):
            pass


def test_waiting_for_a_port_on_which_nobody_will_listen_is_a_named_error(
    supervise: Callable[..., Supervisor],
) -> None:
    with supervise(web=SLEEP) as supervisor, pytest.raises(ProcessDied, match="did not answer on port"):
        supervisor.wait_for_port(free_port(), seconds=0.3)


def test_concord_is_a_web_server_three_workers_and_beat() -> None:
    wanted = {program.name: program for program in programs(port=8123)}
    assert set(wanted) == {"web", "light", "gpu", "serving", "beat"}
    assert "--bind=127.0.0.1:8123" in wanted["web"].command
    assert {name for name, program in wanted.items() if program.stop_signal == signal.SIGQUIT} == {
        "light",
        "gpu",
        "serving",
    }
