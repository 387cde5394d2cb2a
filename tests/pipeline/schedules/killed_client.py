"""Fires or advances and is killed before its transaction ends: `python -m … fire|advance ID`."""

from __future__ import annotations

import os
import signal
import sys

from core.embedded import provide_environment

provide_environment()

import django  # noqa: E402 -- the environment must be complete before settings are read

django.setup()

from django.db import transaction  # noqa: E402 -- likewise

from pipeline.schedules import firings  # noqa: E402 -- likewise


def main(what: str, pk: int) -> None:
    with transaction.atomic():
        if what == "fire":
            firings.fire(schedule_id=pk, asked="time")
        else:
            firings.advance(pk=pk)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
