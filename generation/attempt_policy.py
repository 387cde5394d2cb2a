"""Which failures of sampling are tried again, how often, and after how long. No Django.

A single request has been tried several times already when its failure arrives here (engines/retries.py): what is left
is trouble that lasts for minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

from generation.engines import errors

# Of a prompt: replies that may come out right another time.
_OF_PROMPTS = (
    errors.MalformedReply,
    errors.TooFewChoices,
    errors.DeadlinePassed,
    errors.ConnectionCut,
    errors.ChoiceIgnored,
)
# Of a whole arm: servers that may come back.
_OF_SERVERS = (errors.EndpointUnreachable, errors.EndpointOverloaded)
RETRIED = frozenset(kind.__name__ for kind in (*_OF_PROMPTS, *_OF_SERVERS))


@dataclass(frozen=True, kw_only=True)
class AttemptPolicy:
    """How patient a sampling run is."""

    max_attempts: int = 3  # the first one included
    first_delay: float = 5.0  # seconds before the second attempt; each further one waits four times as long
    max_delay: float = 300.0  # seconds

    def gives_up(self, kind: str, num_attempts: int) -> bool:
        """Whether something that failed so often, the last time for this reason, is left as it is."""
        return num_attempts > 0 and (kind not in RETRIED or num_attempts >= self.max_attempts)

    def delay(self, num_attempts: int) -> float:
        """Seconds to wait after so many attempts."""
        return min(self.first_delay * 4.0 ** (num_attempts - 1), self.max_delay)
