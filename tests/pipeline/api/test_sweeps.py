"""Sweeps over REST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from pipeline.models import TrainingSweep
from tests.factory import Factory

Api = Callable[..., APIClient]
SWEEPS = "/api/v1/training-sweeps"


def body(factory: Factory, **fields: Any) -> dict[str, Any]:
    return {
        "workspace": factory.workspace().pk,
        "name": "betas",
        "algorithm": "dpo",
        "grid": {"beta": [0.1, 0.2]},
        "config": {"batch_size": 8},
        "dataset": factory.dataset().pk,
        "init_model": factory.model().pk,
        **fields,
    }


def test_a_sweep_is_started_shown_and_cancelled(factory: Factory, api: Api) -> None:
    dana, sent = api(factory.dana()), body(factory)
    made = dana.post(SWEEPS, sent)
    assert made.status_code == 201
    shown = made.json()
    assert {name: shown[name] for name in sent} == sent
    assert [(run["number"], run["values"], run["status"], run["figures"]) for run in shown["runs"]] == [
        (1, {"beta": 0.1}, "queued", {}),
        (2, {"beta": 0.2}, "queued", {}),
    ]
    address = f"{SWEEPS}/{shown['id']}"
    cancelled = dana.post(f"{address}/cancel").json()
    assert (cancelled["has_ended"], [run["status"] for run in cancelled["runs"]]) == (True, ["cancelled"] * 2)
    assert dana.post(f"{address}/cancel").status_code == 409


def test_runs_show_their_held_out_figures(factory: Factory, api: Api) -> None:
    shown = api(factory.dana()).get(f"{SWEEPS}/{factory.sweep().pk}").json()
    assert [(run["step"], run["figures"]) for run in shown["runs"]] == [(5, {"held_out_accuracy": 0.75})] * 2


@pytest.mark.parametrize(
    ("fields", "status", "where"),
    [
        ({"grid": {"beta": 0.1}}, 400, "grid"),
        ({"grid": []}, 400, "grid"),
        ({"algorithm": "dqo"}, 400, "algorithm"),
        ({"num_seeds": 11}, 400, "num_seeds"),
        ({"sed": 1}, 400, "sed"),
        ({"grid": {}}, 422, "urn:concord:sweep-refused"),
        ({"grid": {"beta": [{"a": 1}, "b"]}}, 422, "urn:concord:sweep-refused"),
        ({"grid": {"beta": [0.1, -1]}}, 422, "urn:concord:training-refused"),
        ({"grid": {"beta": list(range(1, 64)), "batch_size": [1, 2]}, "config": {}}, 422, "urn:concord:sweep-refused"),
    ],
)
def test_what_is_wrong_is_named(factory: Factory, api: Api, fields: dict[str, Any], status: int, where: str) -> None:
    response = api(factory.dana()).post(SWEEPS, body(factory, **fields))
    assert response.status_code == status
    answer = response.json()
    assert where in (answer["errors"] if status == 400 else {answer["type"]})
    assert not TrainingSweep.objects.exists()
