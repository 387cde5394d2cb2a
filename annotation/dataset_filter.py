"""Which judgments count in a dataset."""

from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from annotation import consensus_verdicts
from annotation.aggregation import METHODS
from core.errors import ConcordError


class FilterInvalid(ConcordError):
    """A dataset filter has an unknown key or a wrong value."""

    status = 422
    title = "This filter cannot be applied"


@dataclass(frozen=True, kw_only=True)
class DatasetFilter:
    """Which judgments count. Stored with the dataset."""

    excluded_annotators: list[int] = field(default_factory=list)  # ids
    min_votes: int = 1  # judgments behind a pair, ties included
    min_p_chosen: float = 0.5  # pairs nearer to a tie than this are left out; exact ties always are
    consensus: str | int = ""  # a consensus run's id, or a method whose newest run decides; empty: votes decide
    judged_until: str = ""  # ISO 8601 with a zone: judgments as they stood then; empty: as they stand now

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> "DatasetFilter":
        """Raises `FilterInvalid` naming the key."""
        if not isinstance(raw, dict):
            raise FilterInvalid(f"A filter is a JSON object, got {raw!r}.")
        names = {item.name for item in fields(cls)}
        if unknown := sorted(set(raw) - names):
            raise FilterInvalid(f"Unknown filter {unknown[0]!r}; known are {', '.join(sorted(names))}.")
        made = cls(**raw)
        ids = made.excluded_annotators
        if not isinstance(ids, list) or not all(isinstance(pk, int) and not isinstance(pk, bool) for pk in ids):
            raise FilterInvalid(f"excluded_annotators must be a list of annotator ids, got {ids!r}.")
        if not isinstance(made.min_votes, int) or isinstance(made.min_votes, bool) or made.min_votes < 1:
            raise FilterInvalid(f"min_votes must be a whole number of 1 or more, got {made.min_votes!r}.")
        if not isinstance(made.min_p_chosen, int | float) or not 0.5 <= made.min_p_chosen <= 1:
            raise FilterInvalid(f"min_p_chosen must lie between 0.5 and 1, got {made.min_p_chosen!r}.")
        if made.consensus != "" and not consensus_verdicts.is_wanted(made.consensus):
            raise FilterInvalid(f"consensus must be a run's id or one of {', '.join(METHODS)}, got {made.consensus!r}.")
        if made.judged_until != "" and made.moment is None:
            raise FilterInvalid(
                f"judged_until must be a time with its zone, such as 2026-05-01T12:00:00Z, got {made.judged_until!r}."
            )
        return made

    @property
    def moment(self) -> datetime | None:
        """`judged_until` as a time; None if there is none, or none that is clear."""
        try:
            parsed = datetime.fromisoformat(self.judged_until) if isinstance(self.judged_until, str) else None
        except ValueError:
            return None
        return parsed if parsed is not None and parsed.tzinfo is not None else None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
