"""Exported judgments, read from PostgreSQL in pages by id: no long transaction, and memory of one page.

A page is three statements: the judgments, the prompts of their comparisons, and the candidates (each once, however many
judgments a comparison has). JSON columns arrive as text and are not parsed on their way to JSON Lines or CSV.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

PAGE = 1000  # judgments
Row = tuple[Any, ...]  # in the order of schema.COLUMNS
UNDECIDED: Row = (None, None)

CHOSEN = """
FROM annotation_judgment AS judgment
JOIN annotation_comparison AS comparison ON comparison.id = judgment.comparison_id
JOIN annotation_annotator AS annotator ON annotator.id = judgment.annotator_id
WHERE comparison.campaign_id = ANY(%(campaigns)s)
  AND judgment.id > %(after)s AND judgment.id <= %(last)s
  AND (NOT %(is_current_only)s OR judgment.is_current)
  AND (%(purpose)s::text IS NULL OR judgment.purpose = %(purpose)s)
  AND (%(since)s::timestamptz IS NULL OR judgment.created_at >= %(since)s)
"""
JUDGMENTS = f"""
SELECT judgment.id, judgment.comparison_id, comparison.campaign_id, comparison.prompt_id,
       array_to_json(judgment.display_order)::text, (judgment.answer -> 'tiers')::text, judgment.answer::text,
       annotator.pseudonym::text, annotator.kind,
       to_char(judgment.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       judgment.active_ms, judgment.total_ms,
       judgment.question_version, judgment.guideline_version, judgment.purpose, judgment.is_current, judgment.revises_id
{CHOSEN}
ORDER BY judgment.id
LIMIT %(page)s
"""
PROMPTS = "SELECT id, fingerprint, messages::text FROM generation_prompt WHERE id = ANY(%(prompts)s)"
CANDIDATES = """
SELECT candidate.comparison_id, completion.id, to_json(completion.text)::text, to_json(model.name)::text
FROM annotation_candidate AS candidate
JOIN generation_completion AS completion ON completion.id = candidate.completion_id
LEFT JOIN generation_languagemodel AS model ON model.id = completion.model_id
WHERE candidate.comparison_id = ANY(%(comparisons)s)
ORDER BY candidate.comparison_id, candidate.position
"""
# What holds for a whole campaign is asked once. The newest finished run is the one whose consensus counts.
CAMPAIGNS = """
SELECT campaign.id, campaign.name, run.id, run.method
FROM annotation_campaign AS campaign
LEFT JOIN annotation_consensusrun AS run ON run.id = (
    SELECT max(newest.id) FROM annotation_consensusrun AS newest
    WHERE newest.campaign_id = campaign.id AND newest.status = 'finished'
)
WHERE campaign.id = ANY(%(campaigns)s)
"""
ADJUDICATED = """
SELECT DISTINCT comparison_id FROM annotation_slot
WHERE campaign_id = ANY(%(campaigns)s) AND purpose = 'adjudication' AND judged_at IS NOT NULL
"""
CONSENSUS = """
SELECT comparison_id, tiers::text, confidence FROM annotation_consensus
WHERE run_id = ANY(%(runs)s) AND comparison_id = ANY(%(comparisons)s)
"""


@dataclass(frozen=True, kw_only=True)
class ExportFilter:
    """Which judgments leave."""

    campaigns: Sequence[int]  # ids
    is_current_only: bool = False  # without those that a newer one replaced
    purpose: str | None = None  # None: whatever they were asked for
    since: datetime | None = None  # given at or after

    def values(self) -> dict[str, Any]:
        return {**vars(self), "campaigns": list(self.campaigns), "after": 0, "last": _newest_id(), "page": PAGE}


def export_pages(wanted: ExportFilter) -> Iterator[list[Row]]:
    """Pages of rows by rising id, up to the newest judgment at the start; no page is empty."""
    values, joiner = wanted.values(), _Joiner(list(wanted.campaigns))
    is_more = True
    while is_more:
        judgments = _fetch(JUDGMENTS, values)
        if judgments:
            yield joiner.rows(judgments)
            values["after"] = judgments[-1][0]
        is_more = len(judgments) == PAGE


def count_rows(wanted: ExportFilter) -> int:
    """How many rows an export would have now."""
    return int(_fetch(f"SELECT count(*) {CHOSEN}", wanted.values())[0][0])


class _Joiner:
    """Adds to judgments what they are about."""

    def __init__(self, campaigns: list[int]) -> None:
        rows = _fetch(CAMPAIGNS, {"campaigns": campaigns})
        self._names = {campaign: name for campaign, name, _, _ in rows}
        self._methods = {campaign: method for campaign, _, _, method in rows}
        self._runs = [run for _, _, run, _ in rows if run is not None]
        self._adjudicated = {comparison for (comparison,) in _fetch(ADJUDICATED, {"campaigns": campaigns})}

    def rows(self, judgments: Sequence[Row]) -> list[Row]:
        """The judgments in the order of schema.COLUMNS."""
        comparisons = list({row[1] for row in judgments})
        prompts = {row[0]: row[1:] for row in _fetch(PROMPTS, {"prompts": list({row[3] for row in judgments})})}
        candidates, consensus = _candidates(comparisons), self._consensus(comparisons)
        return [
            (
                pk, campaign, self._names[campaign], comparison, prompt, *prompts[prompt], *candidates[comparison],
                *rest, comparison in self._adjudicated, self._methods[campaign], *consensus.get(comparison, UNDECIDED),
            )
            for pk, comparison, campaign, prompt, *rest in judgments
        ]  # fmt: skip

    def _consensus(self, comparisons: list[int]) -> dict[int, Row]:
        """comparison → (tiers, confidence)."""
        if not self._runs:
            return {}
        rows = _fetch(CONSENSUS, {"runs": self._runs, "comparisons": comparisons})
        return {comparison: (tiers, confidence) for comparison, tiers, confidence in rows}


def _candidates(comparisons: list[int]) -> dict[int, Row]:
    """comparison → (ids, texts, models), each a JSON list by position."""
    found: dict[int, list[Row]] = defaultdict(list)
    for comparison, *candidate in _fetch(CANDIDATES, {"comparisons": comparisons}):
        found[comparison].append(tuple(candidate))
    lists = {}
    for comparison in comparisons:
        rows = found[comparison]
        lists[comparison] = (
            f"[{','.join([str(row[0]) for row in rows])}]",
            f"[{','.join([row[1] for row in rows])}]",
            f"[{','.join([row[2] or 'null' for row in rows])}]",
        )
    return lists


def _newest_id() -> int:
    return int(_fetch("SELECT coalesce(max(id), 0) FROM annotation_judgment", {})[0][0])


def _fetch(statement: str, values: dict[str, Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
