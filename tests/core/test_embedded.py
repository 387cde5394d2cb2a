"""The embedded PostgreSQL and what it provides to a machine that has nothing."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from core import embedded
from core.embedded import EmbeddedPostgresFailed

ROOT = Path(__file__).resolve().parents[2]
START_AND_ASK = """
import os, sys, psycopg
from core.embedded import provide_environment
variables = {"CONCORD_VAR_DIR": sys.argv[1]}
provide_environment(variables)
with psycopg.connect(variables["DATABASE_URL"]) as connection:
    print(connection.info.dbname, connection.execute("SELECT pg_postmaster_start_time()").fetchone()[0])
print(variables["SECRET_KEY"])
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def var_dir() -> Iterator[Path]:
    """A folder with a short path that the server's own user can enter."""
    with tempfile.TemporaryDirectory(prefix="concord-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def start(var_dir: Path) -> tuple[subprocess.Popen[str], list[str]]:
    """A process that starts or joins the server, and what it learnt; it stays until its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", START_AND_ASK, str(var_dir)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        if line == "ready\n":
            return process, lines
        lines.append(line)
    raise AssertionError(f"the process ended with {process.wait()}: {lines}")


def end(process: subprocess.Popen[str]) -> None:
    process.communicate()
    assert process.returncode == 0


def is_running(var_dir: Path) -> bool:
    return (var_dir / "postgres" / "postmaster.pid").exists()


def test_a_second_start_joins_the_server_and_the_last_to_leave_stops_it(var_dir: Path) -> None:
    first, first_lines = start(var_dir)
    second, second_lines = start(var_dir)

    assert first_lines == second_lines
    assert first_lines[0].startswith("concord ")
    end(first)
    assert is_running(var_dir)
    end(second)
    assert not is_running(var_dir)


def test_what_is_named_is_left_alone(tmp_path: Path) -> None:
    variables = {"DATABASE_URL": "postgresql://elsewhere/db", "CONCORD_VAR_DIR": str(tmp_path / "var")}

    embedded.provide_environment(variables)

    assert variables["DATABASE_URL"] == "postgresql://elsewhere/db"
    assert not (tmp_path / "var").exists()


def test_the_secret_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"

    key = embedded.stored_secret_key(path)

    assert len(key) >= 48
    assert embedded.stored_secret_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_creating_a_database_twice_is_harmless() -> None:
    url = os.environ["DATABASE_URL"]

    embedded.create_database(url, "made_twice")
    embedded.create_database(url, "made_twice")

    with psycopg.connect(url, autocommit=True) as connection:
        names = connection.execute("SELECT count(*) FROM pg_database WHERE datname = 'made_twice'").fetchone()
        connection.execute("DROP DATABASE made_twice")
    assert names == (1,)


def test_a_server_that_does_not_start_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresFailed, match="Set DATABASE_URL to use another server"):
        embedded.start_postgres(tmp_path / "missing" / "postgres")
