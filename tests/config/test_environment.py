"""The environment: everything that is wrong is named at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.environment import EnvironmentInvalid, broker_on_database, read_environment

ROOT = Path(__file__).resolve().parents[2]
GOOD = {"DATABASE_URL": "postgresql://me:secret@db:5432/concord", "SECRET_KEY": "k" * 40}


def test_two_variables_are_enough() -> None:
    environment = read_environment(GOOD)

    assert environment.broker_url == "sqla+postgresql+psycopg://me:secret@db:5432/concord"
    assert environment.allowed_hosts == ("localhost", "127.0.0.1", "[::1]")
    assert not environment.is_debug
    assert not environment.is_https


def test_what_is_given_is_taken() -> None:
    environment = read_environment(
        {
            **GOOD,
            "CELERY_BROKER_URL": "redis://redis:6379/0",
            "ALLOWED_HOSTS": "concord.example.org, other.example.org",
            "HTTPS": "True",
            "JOB_STALE_SECONDS": "2.5",
            "CONCORD_CPU_SLOTS": "4",
            "ALLOWED_PRIVATE_HOSTS": "gpu.internal:8000",
            "ENDPOINT_API_KEYS": "API.openai.com=OPENAI_API_KEY, gpu.internal:8000=GPU_KEY",
            "CONCORD_VAR_DIR": "/data",
        }
    )

    assert environment.broker_url == "redis://redis:6379/0"
    assert environment.allowed_hosts == ("concord.example.org", "other.example.org")
    assert environment.is_https
    assert environment.job_stale_seconds == 2.5
    assert environment.cpu_slots == 4
    assert environment.allowed_private_hosts == ("gpu.internal:8000",)
    assert environment.endpoint_api_keys == {"api.openai.com": "OPENAI_API_KEY", "gpu.internal:8000": "GPU_KEY"}
    assert environment.var_dir == Path("/data")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("DATABASE_URL", "", "must be a PostgreSQL address"),
        ("DATABASE_URL", "mysql://db/concord", "must be a PostgreSQL address"),
        ("DATABASE_URL", "postgresql://db/concord?nonsense=1", "cannot be read"),
        ("ENDPOINT_API_KEYS", "api.openai.com", "name a variable for each host"),
        ("ENDPOINT_API_KEYS", "=OPENAI_API_KEY", "name a variable for each host"),
        ("SECRET_KEY", "", "at least 32 characters, it holds 0"),
        ("SECRET_KEY", "short", "at least 32 characters, it holds 5"),
        ("CONCORD_CPU_SLOTS", "0", "a whole number from 1 to 1024"),
        ("CONCORD_CPU_SLOTS", "1.5", "a whole number from 1 to 1024"),
        ("DEBUG", "maybe", "true or false, not 'maybe'"),
        ("HTTPS", "2", "true or false, not '2'"),
        ("JOB_STALE_SECONDS", "soon", "a number above 0, not 'soon'"),
        ("JOB_STALE_SECONDS", "0", "a number above 0, not '0'"),
        ("JOB_STALE_SECONDS", "nan", "a number above 0, not 'nan'"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(name: str, value: str, reason: str) -> None:
    with pytest.raises(EnvironmentInvalid) as caught:
        read_environment({**GOOD, name: value})

    message = str(caught.value)
    assert f"{name} " in message
    assert reason in message
    assert message.count("\n") == 1


def test_every_wrong_variable_is_named_at_once() -> None:
    with pytest.raises(EnvironmentInvalid) as caught:
        read_environment({"DEBUG": "x", "HTTPS": "y", "JOB_STALE_SECONDS": "z"})

    for name in ("DATABASE_URL", "SECRET_KEY", "DEBUG", "HTTPS", "JOB_STALE_SECONDS"):
        assert f"- {name} " in str(caught.value)


def test_the_secret_is_not_in_the_message() -> None:
    with pytest.raises(EnvironmentInvalid) as caught:
        read_environment({**GOOD, "SECRET_KEY": "tooshort-but-secret"})

    assert "tooshort" not in str(caught.value)


def test_a_command_stops_with_the_list_and_no_traceback() -> None:
    """Web processes are started without manage.py, so that nothing fills in what is missing."""
    variables = {**os.environ, "DATABASE_URL": "mysql://db", "SECRET_KEY": "short"}
    result = subprocess.run(
        [sys.executable, "-c", "import config.wsgi"], cwd=ROOT, env=variables, capture_output=True, text=True
    )

    assert result.returncode != 0
    assert "DATABASE_URL must be" in result.stderr
    assert "SECRET_KEY must hold" in result.stderr


def test_the_broker_lies_on_the_database() -> None:
    assert broker_on_database("postgresql://postgres:@/concord?host=/tmp/x") == (
        "sqla+postgresql+psycopg://postgres:@/concord?host=/tmp/x"
    )


def test_a_key_in_the_place_of_its_variable_is_refused_without_being_repeated() -> None:
    with pytest.raises(EnvironmentInvalid) as refused:
        read_environment({**GOOD, "ENDPOINT_API_KEYS": "api.openai.com=sk-very-secret"})

    assert "such as api.openai.com=OPENAI_API_KEY" in str(refused.value)
    assert "secret" not in str(refused.value)
