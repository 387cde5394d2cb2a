"""The base of every error that a user can cause or mend.

A subclass lives beside the code that raises it and is named for the failure. Its message says what was expected,
what came, and what to do. `core.problems` turns any of them into problem JSON or a page.
"""


class ConcordError(Exception):
    """A failure with a title, an HTTP status and a message for people."""

    status = 400
    title = "The request cannot be carried out"

    def __init__(self, detail: str, **fields: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields

    @property
    def kind(self) -> str:
        """A stable word for programs: `LeaseExpired` becomes `lease-expired`."""
        name = type(self).__name__
        return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


class NotFound(ConcordError):
    """The thing does not exist, or the user may not know that it does."""

    status = 404
    title = "Not found"


class IllegalTransition(ConcordError):
    """A status was asked to move where it cannot go."""

    status = 409
    title = "Not possible in this state"


def is_unreachable(error: BaseException) -> bool:
    """Whether no connection could be made or kept: a deadlock or a full disk is an `OperationalError` too."""
    if type(error).__name__ != "OperationalError":
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state.startswith(("08", "57P"))  # connection exceptions; shutting down or starting up


class DatabaseUnreachable(ConcordError):
    """PostgreSQL does not answer."""

    status = 503
    title = "The database cannot be reached"

    @classmethod
    def at(cls, settings: dict[str, object], cause: Exception) -> "DatabaseUnreachable":
        """Names the server, never the password."""
        server = f"{settings.get('HOST') or 'localhost'}:{settings.get('PORT') or 5432}/{settings.get('NAME')}"
        words = str(cause).strip().splitlines()
        return cls(
            f"PostgreSQL at {server} does not answer ({words[0] if words else type(cause).__name__}). "
            "Check that it runs and that DATABASE_URL is right; unset DATABASE_URL to use the embedded server."
        )
