"""`manage.py prune_training_runs`: give back the disk of runs that ended long ago; what became a model stays."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from training import pruning


class Command(BaseCommand):
    help = "Remove unpublished checkpoints and caches of runs that ended so many days ago. Metrics, logs and data stay."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, required=True, help="runs that ended longer ago are pruned")
        parser.add_argument("--with-last", action="store_true", help="the last checkpoint of a run too")
        parser.add_argument("--dry-run", action="store_true", help="say what would be removed, and remove nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["days"] < 0:
            raise CommandError(f"--days must be 0 or more, got {options['days']}.")
        ended_before = timezone.now() - timedelta(days=options["days"])
        num_bytes = 0
        for run in pruning.old_runs(ended_before=ended_before):
            pruned = pruning.prune_run(run, with_last=options["with_last"], is_dry=options["dry_run"])
            num_bytes += pruned.num_bytes
            if pruned.num_bytes:
                self.stdout.write(
                    f"{run.pk} {run.name}: {pruned.num_checkpoints} checkpoints, {size(pruned.num_bytes)}"
                )
        verb = "would be" if options["dry_run"] else "were"
        self.stdout.write(f"{size(num_bytes)} {verb} freed.")


def size(num_bytes: int) -> str:
    """Bytes in megabytes."""
    return f"{num_bytes / 1e6:,.1f} MB"
