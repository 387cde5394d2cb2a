"""Exporting judgments: the one service of command, REST and page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.text import slugify

from annotation.judgment_export.formats import PIECES
from annotation.judgment_export.rows import ExportFilter, export_pages
from annotation.judgment_export.schema import CONTENT_TYPES
from annotation.models import Campaign
from core.errors import ConcordError


class NothingToExport(ConcordError):
    """There is no campaign whose judgments could leave."""

    status = 404
    title = "There is nothing to export"


@dataclass(frozen=True, kw_only=True)
class JudgmentExport:
    """A file that is made while it is read."""

    name: str
    content_type: str
    pieces: Iterator[bytes]


def export_judgments(
    *,
    campaigns: Sequence[Campaign],
    file_format: str,
    is_current_only: bool = False,
    purpose: str | None = None,
    since: datetime | None = None,
) -> JudgmentExport:
    """The judgments of campaigns that the caller may read, by rising id. Raises `NothingToExport`."""
    if not campaigns:
        raise NothingToExport("There is no campaign whose judgments you may read.")
    wanted = ExportFilter(
        campaigns=[campaign.pk for campaign in campaigns],
        is_current_only=is_current_only,
        purpose=purpose,
        since=since,
    )
    word = slugify(campaigns[0].name) if len(campaigns) == 1 else ""
    return JudgmentExport(
        name=f"{word or 'campaigns'}-judgments.{file_format}",
        content_type=CONTENT_TYPES[file_format],
        pieces=PIECES[file_format](export_pages(wanted)),
    )
