"""What every layout turns its rows into: one annotator's answer about the replies to a prompt."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

SourceKind = Literal["person", "judge", "labels"]  # "labels": a file that does not say who judged

MIN_REPLIES, MAX_REPLIES = 1, 9


@dataclass(frozen=True, kw_only=True)
class SourceAnnotator:
    """Who judged, as the source names them. The id of a person is never shown: it may be an e-mail address."""

    kind: SourceKind
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class ImportedReply:
    """One reply that was judged."""

    text: str
    model: str = ""  # the name of the model that wrote it, if the source says so


@dataclass(frozen=True, kw_only=True)
class ImportedVote:
    """One answer of one annotator."""

    messages: list[dict[str, str]]  # the prompt: {role, content}, the last from the user
    replies: tuple[ImportedReply, ...]
    answer: dict[str, Any]  # annotation.answers.Answer as JSON; numbers are places in `replies`
    annotator: SourceAnnotator
    shown: tuple[int, ...] = ()  # the place in `replies` of each reply from left to right; (): as they are listed
    is_order_known: bool = True  # False: the source does not say where which reply stood
    source_key: str = ""  # the source's own id of this answer, if it has one
    judged_at: datetime | None = None
    total_ms: int = 0
    tags: tuple[str, ...] = field(default=())  # of the prompt


LABELS = SourceAnnotator(kind="labels")
