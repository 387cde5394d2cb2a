"""Django's PostgreSQL backend with a health check that costs no round trip.

Every request asks whether its kept connection still lives (`CONN_HEALTH_CHECKS`). An idle connection has nothing to
read; one that the server has ended has its farewell waiting. So the socket tells.
"""

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """The stock backend, but for `is_usable`."""

    def is_usable(self) -> bool:
        """Whether the server still listens; asked in words only if something unexpected waits in the socket."""
        if self.connection is None:
            return False
        if not self.connection.closed and not _has_something_to_read(self.connection.fileno()):
            return True
        return bool(super().is_usable())


def _has_something_to_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)
    return bool(poll.poll(0))
