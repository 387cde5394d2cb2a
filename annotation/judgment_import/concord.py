"""Judgments that a Concord exported as JSON Lines (docs/reference/judgment-export.md), for moving to another one."""

from __future__ import annotations

from typing import Any

from annotation.judgment_import.moments import moment_of
from annotation.judgment_import.votes import MAX_REPLIES, ImportedReply, ImportedVote, SourceAnnotator, SourceKind
from core.source_rows import LineMalformed, Row
from generation.prompt_lines import check_conversation

KINDS: dict[str, SourceKind] = {"person": "person", "judge": "judge", "imported": "person"}
COMPLETION_LISTS = ("completions", "models", "display_order")


def judgment_votes(row: Row) -> list[ImportedVote]:
    """The one vote of a row; none for a judgment that a newer one replaced or that is not of a main task. Raises
    `LineMalformed`."""
    if row.get("is_current") is False or row.get("purpose", "main") != "main":
        return []
    texts, models, order = (_list(row, name) for name in COMPLETION_LISTS)
    if not len(texts) == len(models) <= MAX_REPLIES or (order and sorted(order) != list(range(len(texts)))):
        raise LineMalformed("completions, models and display_order must be of one length, the order naming each once")
    answer = row.get("answer")
    if not isinstance(answer, dict) or not all(isinstance(text, str) for text in texts):
        raise LineMalformed('"answer" must be an object and "completions" texts')
    return [
        ImportedVote(
            messages=check_conversation(row.get("prompt")),
            replies=tuple(
                ImportedReply(text=text, model=str(model or "")) for text, model in zip(texts, models, strict=True)
            ),
            shown=tuple(order),
            is_order_known=bool(order),
            answer=answer,
            annotator=SourceAnnotator(
                kind=KINDS.get(str(row.get("annotator_kind")), "person"), id=str(row.get("annotator"))
            ),
            source_key=str(row.get("judgment_id")),
            judged_at=moment_of(row.get("created_at")),
            total_ms=row["total_ms"] if isinstance(row.get("total_ms"), int) else 0,
        )
    ]


def _list(row: Row, name: str) -> list[Any]:
    value = row.get(name)
    if not isinstance(value, list):
        raise LineMalformed(f'"{name}" must be a list')
    return value
