"""Rows for tests. Alice manages the workspace, Bob labels in it, Dana is its engineer, Charlie manages another one.

Every method has working defaults and calls the others for what it was not given, so a test names only what matters
to it. Rows that services make quickly come from services; runs that would take a worker are written as finished.
"""

from tests.factory.columns import STARTED_AT, demonstration_rows, preference_rows
from tests.factory.people import PASSWORD
from tests.factory.runs import Runs

__all__ = ["PASSWORD", "STARTED_AT", "Factory", "demonstration_rows", "preference_rows"]


class Factory(Runs):
    """`factory.campaign()` is an open pairwise campaign in Alice's workspace with Bob enrolled, and so on."""
