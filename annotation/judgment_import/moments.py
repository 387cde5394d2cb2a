"""Times as other tools write them."""

from __future__ import annotations

from datetime import UTC, datetime

EARLIEST_YEAR, LATEST_YEAR = 1990, 2100


def moment_of(value: object) -> datetime | None:
    """ISO 8601, in UTC where no zone is given; None for anything that is not a plausible time."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
