"""`manage.py run_pipeline`: start the main job on running workers and follow it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Workspace
from core.errors import ConcordError
from pipeline import command_line, services, summary
from pipeline.follow import follow
from pipeline.models import PipelineRun


class Command(BaseCommand):
    help = "Run the main job: prompts, candidates, judgments, dataset, reward model, DPO, PPO, evaluation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", default="Demo", help="name of an existing workspace (default: Demo)")
        command_line.add_arguments(parser)
        parser.add_argument("--no-follow", action="store_true", help="start it and return at once")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run = services.start_pipeline(
                workspace=_workspace(options["workspace"]), options=command_line.options_from(options)
            )
        except ConcordError as error:
            raise CommandError(f"{error.title}: {error.detail}") from error
        self.stdout.write(f"Pipeline run {run.pk} ({run.name}) has been started.")
        if options["no_follow"]:
            return
        follow(run)
        self.stdout.write("\n".join(summary.result_table(run)))
        if run.status != PipelineRun.Status.FINISHED:
            raise CommandError(f"The pipeline run {run.status}.")


def _workspace(name: str) -> Workspace:
    workspace = Workspace.objects.filter(name=name).first()
    if workspace is None:
        names = ", ".join(Workspace.objects.values_list("name", flat=True)) or "none"
        raise CommandError(f"There is no workspace called {name!r}; there are: {names}.")
    return workspace
