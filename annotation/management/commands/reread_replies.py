"""`manage.py reread_replies`: read a judge's stored replies again, without asking anything."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation import rereading
from annotation.models import JudgingRun


class Command(BaseCommand):
    help = "Read all stored replies of judging runs again; answers that come out otherwise are revised."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("runs", nargs="+", type=int, help="ids of judging runs")

    def handle(self, *args: Any, **options: Any) -> None:
        for pk in options["runs"]:
            run = JudgingRun.objects.filter(pk=pk).first()
            if run is None:
                raise CommandError(f"There is no judging run {pk}.")
            found = rereading.reread(run)
            self.stdout.write(
                f"Run {pk}: {found.num_calls} replies read, {found.num_outcomes_changed} understood otherwise; "
                f"{found.num_answers_changed} answers revised, {found.num_answerable} have an answer now."
            )
