"""Serving a model from its page."""

from __future__ import annotations

import pytest

from generation.models import ServingRun
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses


def test_engineers_serve_a_model_from_its_page(factory: Factory, browse: Browse) -> None:
    model, dana = factory.model(), browse(factory.dana())
    assert "Serve through vLLM" in dana.get(f"/models/{model.pk}/").content.decode()

    answer = dana.post(f"/models/{model.pk}/serve/")

    run = ServingRun.objects.get()
    assert answer.headers["Location"] == f"/serving-runs/{run.pk}/"
    page = dana.get(f"/models/{model.pk}/").content.decode()
    assert f'href="/serving-runs/{run.pk}/"' in page
    assert "Serve through vLLM" not in page


def test_a_second_server_is_explained(factory: Factory, browse: Browse) -> None:
    run = factory.serving_run()

    answer = browse(factory.dana()).post(f"/models/{run.model_id}/serve/")

    assert answer.status_code == 409
    assert "has a server already" in answer.content.decode()


def test_a_healthy_server_shows_its_address_and_its_model(factory: Factory, browse: Browse, statuses: Statuses) -> None:
    run = factory.serving_run()
    served = factory.model("Tiny (served)", source="served", endpoint_url="http://127.0.0.1:9")
    ServingRun.objects.filter(pk=run.pk).update(url="http://127.0.0.1:9", served=served, log_tail="Uvicorn running")

    page = browse(factory.dana()).get(f"/serving-runs/{run.pk}/").content.decode()

    assert "http://127.0.0.1:9/v1" in page
    assert f'href="/models/{served.pk}/"' in page
    assert "Uvicorn running" in page
    assert ">Stop<" in page
    assert statuses(f"/serving-runs/{run.pk}/") == READERS_ONLY


def test_stop_asks_the_server_to_stop(factory: Factory, browse: Browse) -> None:
    run = factory.serving_run()

    browse(factory.dana()).post(f"/serving-runs/{run.pk}/stop/")

    run.refresh_from_db()
    assert run.is_cancel_requested


@pytest.mark.parametrize("person", ["bob", "charlie"])
def test_labelers_and_strangers_neither_serve_nor_stop(factory: Factory, browse: Browse, person: str) -> None:
    run, client = factory.serving_run(), browse(getattr(factory, person)())

    assert client.post(f"/models/{run.model_id}/serve/").status_code == 404
    assert client.post(f"/serving-runs/{run.pk}/stop/").status_code == 404


def test_reward_models_are_not_offered_to_be_served(factory: Factory, browse: Browse) -> None:
    model = factory.model(kind="reward")

    assert "Serve through vLLM" not in browse(factory.dana()).get(f"/models/{model.pk}/").content.decode()
