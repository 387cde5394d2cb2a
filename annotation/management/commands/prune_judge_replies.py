"""`manage.py prune_judge_replies`: forget the words of old judge calls; verdicts and figures stay."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation import reply_retention


class Command(BaseCommand):
    help = "Empty the requests and replies of judge calls that are older than so many days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, required=True, help="calls older than this are pruned")
        parser.add_argument("--dry-run", action="store_true", help="say what would be pruned, and prune nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        if days < 0:
            raise CommandError(f"--days must be 0 or more, got {days}.")
        if options["dry_run"]:
            count, size = reply_retention.prunable(days).count(), reply_retention.num_characters(days)
            self.stdout.write(f"{count} calls with replies of {size} characters would be pruned.")
        else:
            self.stdout.write(f"{reply_retention.prune(days)} calls were pruned.")
