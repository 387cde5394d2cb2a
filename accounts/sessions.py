"""Sessions in the database, as Django keeps them, read with a statement that is compiled once."""

from datetime import UTC, datetime

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

from core.compiled import CompiledQuery

LIVE_SESSION = CompiledQuery(
    lambda key, now: Session.objects.filter(session_key=key, expire_date__gt=now),
    key="a key",
    now=datetime(2000, 1, 1, tzinfo=UTC),
)


class SessionStore(db.SessionStore):
    """The stock store; every request of a page begins with this look-up."""

    def _get_session_from_db(self) -> Session | None:
        found = LIVE_SESSION.first(key=self.session_key, now=timezone.now())
        if found is None:
            self._session_key = None
        return found
