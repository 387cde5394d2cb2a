"""One error shape over REST, whatever went wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from core.errors import ConcordError, IllegalTransition
from core.problems import ProblemPageMiddleware
from tests.factory import Factory

Api = Callable[..., APIClient]


def post_bytes(client: Any, path: str, body: bytes, content_type: str = "application/json") -> Any:
    return client.generic("POST", path, body, content_type=content_type)


def problem(response: Any) -> dict[str, Any]:
    """The body of a problem, whose shape is checked."""
    body: dict[str, Any] = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert body["status"] == response.status_code
    assert body["type"].startswith("urn:concord:")
    assert body["title"]
    assert body["detail"]
    return body


def test_401_says_how_to_sign_in(client: Client) -> None:
    response = client.get("/api/v1/campaigns")

    assert problem(response)["type"] == "urn:concord:not-authenticated"
    assert response.headers["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
def test_404_for_an_address_that_leads_nowhere(client: Client, method: str) -> None:
    response = getattr(client, method)("/api/v1/campaigns/xyz/nothing")

    assert problem(response)["status"] == 404


def test_404_for_an_unknown_id(factory: Factory, api: Api) -> None:
    assert problem(api(factory.alice()).get("/api/v1/campaigns/999999"))["status"] == 404


def test_405_names_what_is_allowed(factory: Factory, api: Api) -> None:
    response = api(factory.alice()).delete("/api/v1/campaigns")

    assert problem(response)["title"] == "Method not allowed"
    assert 'Method "DELETE" not allowed.' in response.json()["detail"]
    assert response.headers["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_403_of_a_role(factory: Factory, api: Api) -> None:
    body = {"workspace": factory.workspace().pk, "name": "x"}
    response = api(factory.dana()).post("/api/v1/prompt-sets", body)

    assert problem(response)["detail"] == "This needs the role manager in Acme; yours is engineer."


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1, 2]", b'"text"', b"\xff\xfe", b"NaN", b'{"name": NaN}', b"[" * 100_000, b'{"a": ' * 5000],
    ids=["empty", "half", "list", "text", "not-utf8", "nan", "nan-inside", "deep-list", "deep-object"],
)
def test_400_for_a_body_that_is_not_the_json_object_asked_for(factory: Factory, api: Api, body: bytes) -> None:
    response = post_bytes(api(factory.alice()), "/api/v1/campaigns", body)

    assert problem(response)["status"] == 400


def test_400_names_every_field(factory: Factory, api: Api) -> None:
    body = {"workspace": factory.workspace().pk, "nmae": "x", "question": {"kind": "pairwise"}}
    response = api(factory.alice()).post("/api/v1/campaigns", body)

    assert problem(response)["errors"].keys() == {"nmae"}
    assert "known are workspace, name, question" in response.json()["errors"]["nmae"][0]


def test_413_for_a_body_that_is_too_large(factory: Factory, api: Api) -> None:
    body = b'"' + b"x" * (8 * 2**20) + b'"'
    response = post_bytes(api(factory.alice()), "/api/v1/campaigns", body)

    assert problem(response)["type"] == "urn:concord:body-too-large"


def test_415_for_a_body_of_another_type(factory: Factory, api: Api) -> None:
    response = post_bytes(api(factory.alice()), "/api/v1/campaigns", b"name=x", "text/plain")

    assert problem(response)["title"] == "Unsupported media type"


def test_errors_of_our_own_keep_their_status_kind_and_fields(factory: Factory, api: Api) -> None:
    prompt_set = factory.prompt_set()
    path = f"/api/v1/prompt-sets/{prompt_set.pk}/prompts"
    response = post_bytes(api(factory.alice()), path, b'{"prompt": "Hi"}\nno json\n', "application/x-ndjson")

    assert problem(response)["type"] == "urn:concord:rows-refused"
    assert response.status_code == 422
    assert response.json()["problems"][0]["row"] == 2


@pytest.mark.parametrize(
    "query",
    ["limit=x&offset=-1", "offset=99999999999999999999999", "limit=99999999999999999999999"],
)
def test_wild_pages_are_answered_with_a_sensible_one(factory: Factory, api: Api, query: str) -> None:
    assert api(factory.alice()).get(f"/api/v1/campaigns?{query}").status_code == 200


@pytest.mark.parametrize(
    "query", ["ordering=question", "status=odd", "workspace=x", "workspace=99999999999999999999", "name=%00", "page=2"]
)
def test_400_for_a_parameter_that_is_not_on_the_list(factory: Factory, api: Api, query: str) -> None:
    response = api(factory.alice()).get(f"/api/v1/campaigns?{query}")

    assert problem(response)["errors"].keys() == {query.partition("=")[0]}


def test_a_kind_is_the_name_of_its_class_with_hyphens() -> None:
    assert IllegalTransition("x").kind == "illegal-transition"
    assert ConcordError("x").kind == "concord-error"


def test_pages_leave_unexpected_errors_alone(rf: RequestFactory) -> None:
    middleware = ProblemPageMiddleware(lambda request: None)  # type: ignore[arg-type,return-value] # never called

    assert middleware.process_exception(rf.get("/"), ValueError("a bug")) is None
