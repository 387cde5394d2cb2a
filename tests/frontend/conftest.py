"""Clients that are signed in, and the four ways in which a page can answer."""

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from tests.factory import Factory

READERS_ONLY = {"alice": 200, "dana": 200, "bob": 404, "charlie": 404, "nobody": 302}
Browse = Callable[..., Client]
Statuses = Callable[[str], dict[str, int]]


@pytest.fixture
def browse(db: None) -> Browse:
    """`browse(user)` is a browser without JavaScript in which the user is signed in; `browse()` is nobody's."""

    def client_of(user: User | None = None, *, htmx: bool = False) -> Client:
        client = Client(headers={"HX-Request": "true"}) if htmx else Client()
        if user is not None:
            client.force_login(user)
        return client

    return client_of


@pytest.fixture
def statuses(factory: Factory, browse: Browse) -> Statuses:
    """`statuses(url)` asks for a page as everybody: manager, engineer, labeler, stranger, nobody."""

    def ask(url: str) -> dict[str, int]:
        people: dict[str, User | None] = {
            "alice": factory.alice(),
            "dana": factory.dana(),
            "bob": factory.bob(),
            "charlie": factory.charlie(),
            "nobody": None,
        }
        return {name: browse(user).get(url).status_code for name, user in people.items()}

    return ask
