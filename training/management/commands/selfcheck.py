"""`manage.py selfcheck`: the training core against numbers that are known in closed form, on this machine."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

INTRODUCTION = """\
Each line computes something whose right answer is known without this program: from arithmetic, a paper's table, or a
closed form. It passes if what was seen is within the tolerance of what was expected.
"""


class Command(BaseCommand):
    help = "Holds losses, estimators and the trainer against numbers known in closed form. Needs no database."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--quick", action="store_true", help="the pure functions alone, without training")

    def handle(self, *args: Any, quick: bool, **options: Any) -> None:
        from training.algorithms.oracles import table  # torch

        oracles = table.CLOSED_FORM if quick else (*table.CLOSED_FORM, *table.TRAINED)
        self.stdout.write(f"{INTRODUCTION}\n")
        self.stdout.write(table.line(table.HEADINGS))
        num_checks, failed = 0, []
        for timed in table.carried_out(oracles):
            num_checks += 1
            if timed.about:
                self.stdout.write(f"\n# {timed.about}")
            self.stdout.write(table.line(table.as_row(timed)))
            if not timed.check.has_passed:
                failed.append(timed.check.name)
        if failed:
            raise CommandError(f"{len(failed)} of {num_checks} checks failed: {'; '.join(failed)}.")
        self.stdout.write(f"All {num_checks} checks passed.")
