"""What Concord reads from the environment: one place, checked once, failing loudly with every problem named."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

BASE_DIR = Path(__file__).resolve().parent.parent
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
MOST_CPU_SLOTS = 1024
TRUE_WORDS = {"1", "true", "yes", "on"}
_VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
FALSE_WORDS = {"0", "false", "no", "off", ""}


class EnvironmentInvalid(Exception):
    """One or more environment variables are missing or malformed; the message lists all of them."""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The settings that differ between installations."""

    database_url: str  # postgresql://user:password@host:port/name
    broker_url: str  # redis://… or sqla+postgresql+psycopg://…
    secret_key: str  # at least 32 characters
    var_dir: Path  # run directories, datasets, the embedded PostgreSQL
    allowed_hosts: tuple[str, ...]
    is_debug: bool
    is_https: bool  # cookies marked secure, HSTS, redirects
    job_stale_seconds: float  # a running job without a heartbeat for this long is given to another worker
    stall_seconds: float  # a training run without a new event for longer than this, at least, is stalled
    cpu_slots: int  # jobs that may compute at once on a machine without a GPU
    allowed_private_hosts: tuple[str, ...]  # outbound requests to private addresses, opted in by host[:port]
    endpoint_api_keys: Mapping[str, str]  # host[:port] of an endpoint → name of the variable that holds its API key


def read_environment(variables: Mapping[str, str]) -> Environment:
    """The checked environment. Raises `EnvironmentInvalid` naming every variable that is wrong."""
    problems: list[str] = []
    database_url = variables.get("DATABASE_URL", "")
    _check_database_url(database_url, problems)
    secret_key = variables.get("SECRET_KEY", "")
    if len(secret_key) < 32:
        problems.append(
            f"SECRET_KEY must hold at least 32 characters, it holds {len(secret_key)}; "
            "make one with: python -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    environment = Environment(
        database_url=database_url,
        broker_url=variables.get("CELERY_BROKER_URL") or broker_on_database(database_url),
        secret_key=secret_key,
        var_dir=Path(variables.get("CONCORD_VAR_DIR") or BASE_DIR / "var").resolve(),
        allowed_hosts=_words(variables.get("ALLOWED_HOSTS")) or LOCAL_HOSTS,
        is_debug=_flag(variables, "DEBUG", problems),
        is_https=_flag(variables, "HTTPS", problems),
        job_stale_seconds=_positive_number(variables, "JOB_STALE_SECONDS", 30.0, problems),
        stall_seconds=_positive_number(variables, "CONCORD_STALL_SECONDS", 900.0, problems),
        cpu_slots=_whole_number(variables, "CONCORD_CPU_SLOTS", 1, problems),
        allowed_private_hosts=_words(variables.get("ALLOWED_PRIVATE_HOSTS")),
        endpoint_api_keys=_api_keys(variables, problems),
    )
    if problems:
        raise EnvironmentInvalid("Concord cannot start:\n" + "\n".join(f"  - {line}" for line in problems))
    return environment


def broker_on_database(database_url: str) -> str:
    """Celery's broker on the same PostgreSQL, through kombu's SQLAlchemy transport."""
    _, _, rest = database_url.partition("://")
    return f"sqla+postgresql+psycopg://{rest}"


def _check_database_url(url: str, problems: list[str]) -> None:
    if not url.startswith(("postgresql://", "postgres://")):
        problems.append(
            "DATABASE_URL must be a PostgreSQL address such as postgresql://user:password@host:5432/concord; "
            "unset it and start through manage.py to use the embedded server"
        )
        return
    try:
        conninfo_to_dict(url)
    except ProgrammingError as error:
        problems.append(f"DATABASE_URL cannot be read: {str(error).strip()}")


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def _api_keys(variables: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in _words(variables.get("ENDPOINT_API_KEYS"))]
    if any(not host or not _VARIABLE_NAME.fullmatch(name) for host, _, name in pairs):
        problems.append(  # without what was given: somebody may have written a key in there
            "ENDPOINT_API_KEYS must name a variable for each host, such as api.openai.com=OPENAI_API_KEY; "
            "the key itself belongs into that variable"
        )
    return {host.lower(): name for host, _, name in pairs}


def _flag(variables: Mapping[str, str], name: str, problems: list[str]) -> bool:
    text = variables.get(name, "").lower()
    if text not in TRUE_WORDS | FALSE_WORDS:
        problems.append(f"{name} must be true or false, not {text!r}")
    return text in TRUE_WORDS


def _positive_number(variables: Mapping[str, str], name: str, default: float, problems: list[str]) -> float:
    text = variables.get(name, "")
    try:
        number = float(text) if text else default
    except ValueError:
        number = -1.0
    if not 0 < number < math.inf:
        problems.append(f"{name} must be a number above 0, not {text!r}")
    return number


def _whole_number(variables: Mapping[str, str], name: str, default: int, problems: list[str]) -> int:
    text = variables.get(name) or str(default)
    if not text.isdecimal() or not 0 < int(text) <= MOST_CPU_SLOTS:
        problems.append(f"{name} must be a whole number from 1 to {MOST_CPU_SLOTS}, not {text!r}")
        return default
    return int(text)
