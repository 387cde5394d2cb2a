"""API tokens: exchanged for a password, hashed, expiring, revocable, throttled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from accounts import services
from tests.factory import PASSWORD, Factory

Api = Callable[..., APIClient]
TOKENS = "/api/v1/tokens"


@pytest.fixture(autouse=True)
def fresh_throttles() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def ask(client: Client, **fields: Any) -> Any:
    body = {"username": "alice", "password": PASSWORD, **fields}
    return client.post(TOKENS, body, content_type="application/json")


def workspaces(client: Client, token: str) -> Any:
    return client.get("/api/v1/workspaces", headers={"authorization": f"Token {token}"})


def test_a_token_opens_what_its_owner_may_see(factory: Factory, client: Client) -> None:
    factory.alice()

    token = ask(client).json()["token"]

    assert token.startswith("concord_")
    assert workspaces(client, token).json()["results"][0]["role"] == "manager"


def test_only_a_hash_is_stored(factory: Factory, client: Client) -> None:
    factory.alice()

    token = ask(client).json()["token"]

    row = AuthToken.objects.get()
    stored = f"{row.digest} {row.token_key}"
    assert len(row.digest) == 128
    assert token not in stored
    assert token[len(row.token_key) :] not in stored


def test_a_token_lasts_as_long_as_asked(factory: Factory, client: Client) -> None:
    factory.alice()

    expires_at = ask(client, days=7).json()["expires_at"]

    left = AuthToken.objects.get().expiry - timezone.now()
    assert timedelta(days=6.9) < left <= timedelta(days=7)
    assert expires_at.startswith(AuthToken.objects.get().expiry.isoformat()[:19])


def test_an_expired_token_opens_nothing(factory: Factory, client: Client) -> None:
    token = services.issue_token(user=factory.alice())
    AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))

    assert workspaces(client, token).status_code == 401


def test_the_token_of_a_deactivated_user_opens_nothing(factory: Factory, client: Client) -> None:
    alice = factory.alice()
    token = services.issue_token(user=alice)
    alice.is_active = False
    alice.save()

    assert workspaces(client, token).status_code == 401
    assert ask(client).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "concord_0000000000", "concord_ü", "two words"])
def test_what_is_no_token_opens_nothing(db: None, client: Client, token: str) -> None:
    assert workspaces(client, token).status_code == 401


@pytest.mark.parametrize(
    "fields", [{"password": "wrong"}, {"username": "nobody"}, {"username": "ALICE"}, {"password": PASSWORD + " "}]
)
def test_wrong_credentials_are_refused_without_saying_which_is_wrong(
    factory: Factory, client: Client, fields: dict[str, str]
) -> None:
    factory.alice()

    response = ask(client, **fields)

    assert response.status_code == 401
    assert response.json()["detail"] == "The user name and password do not match an active account."


@pytest.mark.parametrize(
    "fields", [{"days": 0}, {"days": 366}, {"username": ""}, {"password": None}, {"username": "a\0b"}, {"extra": 1}]
)
def test_malformed_requests_name_the_field(factory: Factory, client: Client, fields: dict[str, Any]) -> None:
    factory.alice()

    response = ask(client, **fields)

    assert response.status_code == 400
    assert response.json()["errors"].keys() == fields.keys()


def test_the_eleventh_attempt_on_one_name_has_to_wait(factory: Factory) -> None:
    factory.alice()
    for number in range(10):
        forged = Client(headers={"x-forwarded-for": f"203.0.113.{number}"})
        assert ask(forged, password="wrong").status_code == 401

    response = ask(Client(headers={"x-forwarded-for": "203.0.113.99"}))

    assert response.status_code == 429
    assert response.json()["type"] == "urn:concord:throttled"
    assert int(response.headers["Retry-After"]) > 0


def test_an_old_token_or_session_does_not_stand_in_the_way(factory: Factory) -> None:
    factory.alice()
    client = Client(enforce_csrf_checks=True, headers={"authorization": "Token expired"})
    client.login(username="alice", password=PASSWORD)

    assert ask(client).status_code == 201


def test_the_list_shows_own_tokens_without_their_secrets(factory: Factory, api: Api) -> None:
    token = services.issue_token(user=factory.alice())
    services.issue_token(user=factory.bob())

    response = api(factory.alice()).get(TOKENS)

    assert [row["id"] for row in response.json()["results"]] == [token[:15]]
    assert token not in response.content.decode()
    assert AuthToken.objects.get(user=factory.alice()).digest not in response.content.decode()


def test_a_revoked_token_opens_nothing(factory: Factory, client: Client) -> None:
    token = services.issue_token(user=factory.alice())
    other = services.issue_token(user=factory.alice())

    response = client.delete(f"{TOKENS}/{token[:15]}", headers={"authorization": f"Token {other}"})

    assert response.status_code == 204
    assert workspaces(client, token).status_code == 401
    assert workspaces(client, other).status_code == 200


def test_nobody_revokes_a_token_of_somebody_else(factory: Factory, api: Api) -> None:
    token = services.issue_token(user=factory.alice())

    assert api(factory.charlie()).delete(f"{TOKENS}/{token[:15]}").status_code == 404
    assert AuthToken.objects.count() == 1


def test_a_session_may_read_and_needs_a_csrf_token_to_write(factory: Factory) -> None:
    factory.alice()
    client = Client(enforce_csrf_checks=True)
    client.login(username="alice", password=PASSWORD)
    body = {"workspace": factory.workspace().pk, "name": "x"}

    assert client.get("/api/v1/workspaces").status_code == 200
    response = client.post("/api/v1/prompt-sets", body, content_type="application/json")
    assert response.status_code == 403
    assert "CSRF" in response.json()["detail"]
