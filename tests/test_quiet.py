"""What ends a browser test: patience with a straggler's transaction."""

from __future__ import annotations

import threading

import psycopg
import pytest
from django.db import connection

from accounts.models import User
from tests.quiet import wait_until_served


@pytest.mark.django_db(transaction=True)
def test_the_end_of_a_test_waits_for_requests_that_still_work() -> None:
    User.objects.create_user("somebody")
    settings = connection.settings_dict
    straggler = psycopg.connect(
        dbname=settings["NAME"],
        host=settings["HOST"],
        port=settings["PORT"] or None,
        user=settings["USER"],
        password=settings["PASSWORD"],
    )
    straggler.execute("SELECT count(*) FROM accounts_user")  # a transaction that is left open
    finished = threading.Event()

    def finish() -> None:
        finished.set()
        straggler.close()

    timer = threading.Timer(0.5, finish)
    timer.start()
    wait_until_served()
    assert finished.is_set()
    timer.join()
