"""`manage.py export_judgments`: judgments into a file, or to the standard output."""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.judgment_export import service
from annotation.judgment_export.schema import FORMATS
from annotation.judgment_import.moments import moment_of
from annotation.models import Campaign, Slot
from core.errors import ConcordError


class Command(BaseCommand):
    help = "Export judgments as JSON Lines, CSV or Parquet."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("output", type=Path, help="file to write; its ending is the format; - is standard output")
        parser.add_argument("--campaign", type=int, action="append", help="id; may be repeated (default: all)")
        parser.add_argument("--workspace", help="only campaigns of the workspace of this name")
        parser.add_argument("--format", choices=FORMATS, help="unless the file's ending says it")
        parser.add_argument("--current", action="store_true", help="without judgments that a newer one replaced")
        parser.add_argument("--purpose", choices=Slot.Purpose.values)
        parser.add_argument("--since", type=_moment, help="ISO 8601; judgments given then or later")
        parser.add_argument("--force", action="store_true", help="replace a file that exists")

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path = options["output"]
        is_stream = str(output) == "-"
        try:
            export = service.export_judgments(
                campaigns=_campaigns(options["campaign"], options["workspace"]),
                file_format=options["format"] or _format_of(output),
                is_current_only=options["current"],
                purpose=options["purpose"],
                since=options["since"],
            )
        except ConcordError as error:
            raise CommandError(f"{error.title}: {error.detail}") from error
        if is_stream:
            for piece in export.pieces:
                sys.stdout.buffer.write(piece)
            return
        if output.exists() and not options["force"]:
            raise CommandError(f"{output} exists; name another file or pass --force.")
        num_bytes = _write(output, export.pieces)
        self.stdout.write(f"{output}: {num_bytes:,} bytes.")


def _write(output: Path, pieces: Iterator[bytes]) -> int:
    """Write beside the file, then move there at once: a half-written export never bears the name."""
    scratch = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with scratch.open("wb") as file:
            num_bytes = sum(map(file.write, pieces))
        scratch.replace(output)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror or error}.") from None
    finally:
        scratch.unlink(missing_ok=True)
    return num_bytes


def _campaigns(ids: list[int] | None, workspace: str | None) -> list[Campaign]:
    found = Campaign.objects.order_by("pk")
    if workspace is not None:
        found = found.filter(workspace__name=workspace)
    if ids is None:
        return list(found)
    campaigns = list(found.filter(pk__in=ids))
    if missing := sorted(set(ids) - {campaign.pk for campaign in campaigns}):
        raise CommandError(f"There is no campaign {missing[0]}{f' in {workspace}' if workspace else ''}.")
    return campaigns


def _format_of(output: Path) -> str:
    word = output.suffix.removeprefix(".")
    if word not in FORMATS:
        raise CommandError(f"Name a format with --format ({', '.join(FORMATS)}), or by the file's ending.")
    return word


def _moment(text: str) -> datetime:
    moment = moment_of(text)
    if moment is None:
        raise ArgumentTypeError(f"{text!r} is no time in ISO 8601, such as 2026-01-31 or 2026-01-31T12:00:00Z")
    return moment
