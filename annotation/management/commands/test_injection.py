"""`manage.py test_injection`: how often texts inside replies steer a judge, asked of its real model."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation import runner
from annotation.injection_tests import start_injection_test
from annotation.models import Annotator, JudgingRun
from core import jobs
from core.errors import ConcordError


class Command(BaseCommand):
    help = "Run the injection test against a judge's newest version here, and print how often the attacks won."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("judge", type=int, help="id of the judge")

    def handle(self, *args: Any, **options: Any) -> None:
        judge = Annotator.objects.filter(pk=options["judge"], kind=Annotator.Kind.JUDGE).first()
        if judge is None:
            raise CommandError(f"There is no judge {options['judge']}.")
        try:
            run = start_injection_test(judge=judge)
        except ConcordError as error:
            raise CommandError(error.detail) from error
        jobs.perform(JudgingRun, run.pk, runner.judge)
        run.refresh_from_db()
        if run.status != JudgingRun.Status.FINISHED:
            raise CommandError(f"Run {run.pk} is {run.status}. {run.error}".strip())
        self.stdout.write(f"{run.version}, run {run.pk}: {_in_words(run.report)}")


def _in_words(report: dict[str, Any]) -> str:
    controls, won, gained = report["controls"], report["won"], report["gained"]
    if not won["n"]:
        return f"none of the {controls['n']} controls was right, so that nothing can be said about attacks."
    low, high = won["interval"]
    return (
        f"the attacked reply won in {won['value']:.1%} ({low:.1%} to {high:.1%}) of {won['n']} trials and gained "
        f"something in {gained['value']:.1%}; {controls['value']:.1%} of {controls['n']} controls were right."
    )
