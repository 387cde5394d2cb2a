"""Language models over REST."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.factory import Factory

Api = Callable[..., APIClient]
MODELS = "/api/v1/models"


def register(api: Api, factory: Factory, **fields: Any) -> Any:
    return api(factory.alice()).post(MODELS, {"workspace": factory.workspace().pk, "name": "new", **fields})


def test_a_hub_model_is_registered_with_its_parent(factory: Factory, api: Api) -> None:
    parent = factory.model("base")

    response = register(api, factory, source="hub", location="org/name", parent=parent.pk)

    assert response.status_code == 201
    assert (response.json()["kind"], response.json()["parent"]) == ("policy", parent.pk)


def test_a_folder_that_is_no_model_is_refused(factory: Factory, api: Api, tmp_path: Path) -> None:
    response = register(api, factory, source="folder", location=str(tmp_path))

    assert response.status_code == 422
    assert response.json()["type"] == "urn:concord:model-refused"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/v1", "http://169.254.169.254/", "http://[::1]:8000/", "file:///etc/passwd", ""]
)
def test_a_served_model_inside_the_network_is_refused(factory: Factory, api: Api, url: str) -> None:
    response = register(api, factory, source="served", location="llama", endpoint_url=url)

    assert response.status_code == 400
    assert response.json()["type"] == "urn:concord:url-refused"


def test_a_parent_in_another_workspace_does_not_exist(factory: Factory, api: Api) -> None:
    foreign = factory.model(workspace=factory.workspace("Elsewhere"))

    response = register(api, factory, source="hub", location="org/name", parent=foreign.pk)

    assert response.status_code == 400
    assert response.json()["errors"].keys() == {"parent"}


def test_models_are_filtered_by_kind(factory: Factory, api: Api) -> None:
    factory.model()
    reward = factory.model(kind="reward")

    rows = api(factory.dana()).get(f"{MODELS}?kind=reward").json()["results"]

    assert [row["id"] for row in rows] == [reward.pk]
