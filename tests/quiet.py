"""The end of a browser test: its page's last requests must not meet the emptying of the tables."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.test import TransactionTestCase

NUM_LOOKS = 3  # that must find nobody at work
PAUSE_SECONDS = 0.03
PATIENCE_SECONDS = 10.0
NUM_FLUSHES = 5
OTHERS_AT_WORK = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend' AND state <> 'idle' AND pid <> ALL(%s)
"""


def wait_until_served() -> None:
    """Until no request of a closed page works on the database any more; gives up after a while, and says nothing."""
    own = [connection.connection.info.backend_pid] if connection.connection is not None else []
    names = {"NAME": "dbname", "HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}
    settings = {key: connection.settings_dict[name] for name, key in names.items() if connection.settings_dict[name]}
    deadline = time.monotonic() + PATIENCE_SECONDS
    num_quiet = 0
    with psycopg.connect(**settings, autocommit=True) as observer:
        while num_quiet < NUM_LOOKS and time.monotonic() < deadline:
            (num_others,) = observer.execute(OTHERS_AT_WORK, [own]).fetchone() or (0,)
            num_quiet = num_quiet + 1 if num_others == 0 else 0
            time.sleep(PAUSE_SECONDS)


@contextmanager
def patient_flushes() -> Iterator[None]:
    """Empty the tables again where a straggler's statement and the emptying have waited for each other."""
    cases: Any = TransactionTestCase
    flush = cases._fixture_teardown

    def again_and_again(case: TransactionTestCase) -> None:
        for number in range(1, NUM_FLUSHES + 1):
            try:
                flush(case)
                break
            except CommandError as error:
                if number == NUM_FLUSHES or not isinstance(error.__cause__, OperationalError):
                    raise
                time.sleep(PAUSE_SECONDS * number)

    cases._fixture_teardown = again_and_again
    yield
    cases._fixture_teardown = flush
