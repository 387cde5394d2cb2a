"""Devices over REST."""

from __future__ import annotations

from collections.abc import Callable

from rest_framework.test import APIClient

from tests.factory import Factory

ADDRESS = "/api/v1/devices"


def test_managers_see_who_holds_a_device(factory: Factory, api: Callable[..., APIClient]) -> None:
    holder = factory.training_run(status="running")
    device = factory.device(holder)
    [row] = api(factory.alice()).get(ADDRESS, {"kind": "cpu"}).json()["results"]
    assert (row["key"], row["holder"], row["holder_id"]) == (device.key, f"training run {holder.pk}", holder.pk)
    assert row["leased_until"] > row["leased_at"]
    assert api(factory.alice()).get(ADDRESS, {"kind": "gpu"}).json()["count"] == 0


def test_machines_serve_all_workspaces_and_labelers_see_none(factory: Factory, api: Callable[..., APIClient]) -> None:
    factory.device()
    counts = [api(user).get(ADDRESS).json()["count"] for user in (factory.charlie(), factory.admin(), factory.bob())]
    assert counts == [1, 1, 0]
