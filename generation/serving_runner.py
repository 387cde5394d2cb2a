"""Keeps a vLLM server for as long as its run goes on: until somebody stops it, it ends, or its worker goes."""

from __future__ import annotations

import time
from pathlib import Path

from django.conf import settings
from django.db import transaction

from core import jobs
from core.jobs import JobFailed
from generation import serving
from generation.models import ServingRun
from generation.serving import ManagedServer
from generation.vllm_command import ServeOptions

POLL_SECONDS = 1.0
LOG_BYTES = 16_000


def serve(run: ServingRun) -> None:
    """Start the server, register the served model, and watch. Returns only by an exception, such as `JobCancelled`.

    Raises `JobFailed` with the end of the log where the server does not start, or ends.
    """
    options = ServeOptions(port=serving.free_port())
    log = settings.VAR_DIR / "log" / f"vllm-{options.port}.log"
    try:
        with serving.managed_server(run.model, options=options, job=run, on_wait=lambda: _beat(run, log)) as server:
            _announce(run, server)
            while True:
                server.check()
                _beat(run, log)
                time.sleep(POLL_SECONDS)
    except serving.ServerFailed as error:
        raise JobFailed(error.detail, failure_kind=error.kind, log_tail=_tail(log)) from error
    finally:
        ServingRun.objects.filter(pk=run.pk, attempt=run.attempt).update(url="")


def _announce(run: ServingRun, server: ManagedServer) -> None:
    with transaction.atomic():
        jobs.renew(run)
        run.served, run.url = serving.register(run.model, server), server.url
        run.save(update_fields=["served", "url"])


def _beat(run: ServingRun, log: Path) -> None:
    jobs.beat(run, log_tail=_tail(log))


def _tail(log: Path) -> str:
    """The end of what the server wrote."""
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_BYTES))
        return file.read().decode(errors="replace").replace("\x00", "")
