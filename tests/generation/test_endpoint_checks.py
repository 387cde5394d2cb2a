"""The health of endpoints, asked of real servers and kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings
from rest_framework.test import APIClient

from generation import endpoint_checks, tasks
from generation.models import EndpointCheck
from generation.services import ModelRefused
from tests.factory import Factory
from tests.generation.engines.chat_server import Reply, chat_server

LISTING = {"data": [{"id": "tiny"}, {"id": "polite"}]}


class Listing:
    """A server that lists its models and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def answer(self, path: str, body: dict[str, Any]) -> Reply:
        self.asked[path] += 1
        return Reply(body=LISTING)


@pytest.fixture(autouse=True)
def allow_loopback(settings: LazySettings) -> None:
    settings.ALLOWED_PRIVATE_HOSTS = ("127.0.0.1",)


def test_what_a_server_says_is_kept_until_it_is_asked_again(factory: Factory) -> None:
    with chat_server(Listing().answer) as server:
        model = factory.model(source="served", location="tiny", endpoint_url=server.url)
        check = endpoint_checks.check_endpoint(model=model)
    assert (check.is_up, check.problem, check.found) == (True, "", ["tiny", "polite"])
    assert check.latency_ms is not None
    endpoint_checks.check_endpoint(model=model)
    now = EndpointCheck.objects.get()
    assert (now.is_up, now.found, now.latency_ms) == (False, [], None)
    assert "no answer" in now.problem.lower() or "refused" in now.problem.lower()
    assert now.checked_at > check.checked_at


def test_a_server_is_asked_once_for_all_of_its_models_and_each_has_its_own_health(factory: Factory) -> None:
    listing = Listing()
    with chat_server(listing.answer) as server:
        for name in ("tiny", "polite", "gone"):
            factory.model(name, source="served", location=name, endpoint_url=server.url)
        factory.model("folder")
        tasks.check_endpoints()
    assert listing.asked == {"/v1/models": 1}
    found = dict(EndpointCheck.objects.values_list("model__name", "problem"))
    assert found == {"tiny": "", "polite": "", "gone": "It does not serve 'gone'; it serves tiny, polite."}


def test_a_folder_has_no_endpoint(factory: Factory) -> None:
    with pytest.raises(ModelRefused, match="no endpoint to check"):
        endpoint_checks.check_endpoint(model=factory.model())


def test_it_is_checked_and_shown_over_rest(factory: Factory, api: Callable[..., APIClient]) -> None:
    with chat_server(Listing().answer) as server:
        model = factory.model(source="served", location="tiny", endpoint_url=server.url)
        before = api(factory.dana()).get(f"/api/v1/models/{model.pk}").json()
        checked = api(factory.dana()).post(f"/api/v1/models/{model.pk}/check").json()
    assert before["endpoint_check"] is None
    assert (checked["endpoint_check"]["is_up"], checked["endpoint_check"]["found"]) == (True, ["tiny", "polite"])
    assert api(factory.dana()).get("/api/v1/models").json()["results"] == [checked]
