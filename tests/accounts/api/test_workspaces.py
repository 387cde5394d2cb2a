"""Workspaces over REST."""

from collections.abc import Callable

from rest_framework.test import APIClient

from tests.factory import Factory

Api = Callable[..., APIClient]


def test_everybody_lists_their_own_workspaces_with_their_role(factory: Factory, api: Api) -> None:
    factory.charlie()

    rows = api(factory.bob()).get("/api/v1/workspaces").json()["results"]

    assert [(row["name"], row["role"]) for row in rows] == [("Acme", "labeler")]


def test_an_administrator_lists_all(factory: Factory, api: Api) -> None:
    factory.alice()
    factory.charlie()

    rows = api(factory.admin()).get("/api/v1/workspaces?ordering=-name").json()["results"]

    assert [(row["name"], row["role"]) for row in rows] == [("Elsewhere", "admin"), ("Acme", "admin")]
