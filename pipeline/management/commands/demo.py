"""`manage.py demo`: everything on one machine. Starts all processes, runs the main job, keeps serving until Ctrl-C."""

import os
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from accounts.models import Workspace
from core import broker
from core.errors import ConcordError
from core.supervisor import Supervisor, programs, require_free_port, stop_on_signals
from pipeline import command_line, services, summary
from pipeline.accounts import LogIn, ensure_accounts
from pipeline.follow import follow
from pipeline.models import PipelineRun
from pipeline.options import PipelineOptions


class Command(BaseCommand):
    help = "Start Concord on this machine, run the main job with live progress, and keep serving until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        command_line.add_arguments(parser)
        parser.add_argument("--exit", action="store_true", help="stop when the main job has ended")

    def handle(self, *args: Any, **options: Any) -> None:
        stop_on_signals()
        try:
            self._run(options)
        except ConcordError as error:
            raise CommandError(f"{error.title}: {error.detail}") from error
        except KeyboardInterrupt:
            self.stdout.write("\nStopped. `make demo` continues on the same data.")

    def _run(self, options: dict[str, Any]) -> None:
        wanted = command_line.options_from(options)
        require_free_port(options["port"])
        allow_private_host(wanted.vllm_url)
        call_command("migrate", verbosity=0)
        broker.prepare()
        workspace, log_ins = ensure_accounts(settings.VAR_DIR / "credentials.json")
        wanted_programs = programs(port=options["port"])
        with Supervisor(wanted_programs, log_dir=settings.VAR_DIR / "log", cwd=settings.BASE_DIR) as supervisor:
            supervisor.wait_for_port(options["port"])
            self._greet(options["port"], log_ins)
            run = self._main_job(workspace, wanted, supervisor)
            self._report(run, options["port"], log_ins)
            if options["exit"]:
                if run.status != PipelineRun.Status.FINISHED:
                    raise CommandError(f"The main job {run.status}.")
                return
            while True:
                supervisor.check()
                time.sleep(1.0)

    def _main_job(self, workspace: Workspace, wanted: PipelineOptions, supervisor: Supervisor) -> PipelineRun:
        """A new run, or the one with the same options where it stands."""
        run: PipelineRun | None = PipelineRun.objects.filter(workspace=workspace, options=wanted.to_json()).first()
        if run is None or run.status == PipelineRun.Status.CANCELLED:
            run = services.start_pipeline(workspace=workspace, options=wanted)
        elif run.status == PipelineRun.Status.FAILED:
            self.stdout.write("The main job failed before; trying the failed step again.")
            services.retry_pipeline(pipeline_run=run)
        started_at = time.monotonic()
        follow(run, check=supervisor.check)
        self.stdout.write(f"\nThe main job {run.status} ({time.monotonic() - started_at:.0f} s since this start).")
        return run

    def _greet(self, port: int, log_ins: list[LogIn]) -> None:
        self.stdout.write(f"\nConcord is running at http://127.0.0.1:{port}/ (logs: {settings.VAR_DIR / 'log'})\n")
        for entry in log_ins:
            self.stdout.write(f"  sign in as {entry.username:<10} {entry.password}")
        self.stdout.write("\nThe main job, live at the address above as manager:\n")

    def _report(self, run: PipelineRun, port: int, log_ins: list[LogIn]) -> None:
        self.stdout.write("\n".join(summary.result_table(run)))
        self.stdout.write(f"\nEverything is at http://127.0.0.1:{port}/ . Press Ctrl-C to stop.\n")
        for entry in log_ins:
            self.stdout.write(f"  {entry.username:<10} {entry.password}")
        self.stdout.flush()


def allow_private_host(url: str) -> None:
    """Whoever names a server on the command line of their own machine is its operator: let this host pass the guard."""
    if url:
        host = url.partition("://")[2].partition("/")[0]
        allowed = [*settings.ALLOWED_PRIVATE_HOSTS, host]
        settings.ALLOWED_PRIVATE_HOSTS = tuple(allowed)
        os.environ["ALLOWED_PRIVATE_HOSTS"] = ",".join(allowed)
