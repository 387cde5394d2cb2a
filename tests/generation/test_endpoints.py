from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings

from core.urlguard import UrlRefused
from generation import endpoints
from generation.engine_choice import open_engine, served_engine
from generation.engines.base import SamplingParameters
from tests.factory import Factory
from tests.generation.engines.chat_server import Answer, Reply, chat_server, echo

LISTING = {"data": [{"id": "policy"}, {"id": "polite", "parent": "policy"}]}


def listing(path: str, body: dict[str, Any]) -> Reply:
    return Reply(body=LISTING) if path == "/v1/models" else echo(path, body)


@pytest.fixture(autouse=True)
def allow_loopback(settings: LazySettings) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)


def test_a_server_that_serves_the_wanted_model_is_well() -> None:
    with chat_server(listing) as server:
        health = endpoints.check_health(server.url, name="polite")
    assert (health.is_up, health.problem) == (True, "")
    assert [(model.id, model.parent) for model in health.models] == [("policy", None), ("polite", "policy")]


def test_a_server_without_the_wanted_model_is_not_and_says_what_it_serves() -> None:
    with chat_server(listing) as server:
        health = endpoints.check_health(server.url, name="other")
    assert not health.is_up
    assert health.problem == "It does not serve 'other'; it serves policy, polite."


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda path, body: Reply(status=503, body=b"loading"), "503: loading"),
        (lambda path, body: Reply(status=401, body={"error": "who?"}), "check the API key"),
        (lambda path, body: Reply(body=b"<html>"), "not JSON"),
    ],
)
def test_a_server_that_is_ill_is_asked_once_and_named(answer: Answer, problem: str) -> None:
    with chat_server(answer) as server:
        health = endpoints.check_health(server.url)
    assert not health.is_up
    assert problem in health.problem


def test_an_address_that_may_not_be_called_is_not_well_and_not_called(settings: LazySettings) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = ()
    with chat_server(listing) as server:
        assert "ALLOWED_PRIVATE_HOSTS" in endpoints.check_health(server.url).problem
        with pytest.raises(UrlRefused):
            endpoints.models_at(server.url)
        with pytest.raises(UrlRefused):
            served_engine(server.url, "policy")


def test_the_key_of_the_endpoint_goes_with_every_request(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch, factory: Factory
) -> None:
    settings.ENDPOINT_API_KEYS = {"127.0.0.1": "LOCAL_KEY"}
    monkeypatch.setenv("LOCAL_KEY", "sk-very-secret")
    with chat_server(listing) as server:
        engine = open_engine(factory.model(source="served", endpoint_url=server.url))
        conversation = [{"role": "user", "content": "a"}]
        list(engine.sample([conversation], num_completions=1, parameters=SamplingParameters()))
        engine.close()
    assert server.headers[0]["Authorization"] == "Bearer sk-very-secret"
