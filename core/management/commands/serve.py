"""`manage.py serve`: all of Concord's processes on one machine, until Ctrl-C."""

import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from core import broker
from core.errors import ConcordError
from core.supervisor import Supervisor, programs, require_free_port, stop_on_signals


class Command(BaseCommand):
    help = "Start the web server, the workers and beat on this machine, and stop them all at Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        stop_on_signals()
        try:
            self._serve(options["port"])
        except ConcordError as error:
            raise CommandError(f"{error.title}: {error.detail}") from error
        except KeyboardInterrupt:
            self.stdout.write("\nStopped.")

    def _serve(self, port: int) -> None:
        require_free_port(port)
        call_command("migrate", verbosity=0)
        broker.prepare()
        with Supervisor(programs(port=port), log_dir=settings.VAR_DIR / "log", cwd=settings.BASE_DIR) as supervisor:
            supervisor.wait_for_port(port)
            self.stdout.write(f"Concord is running at http://127.0.0.1:{port}/ (logs: {settings.VAR_DIR / 'log'})")
            while True:
                supervisor.check()
                time.sleep(1.0)
