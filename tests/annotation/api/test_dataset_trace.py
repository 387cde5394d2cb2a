"""Who decided a dataset, over REST."""

from __future__ import annotations

from collections.abc import Callable

from rest_framework.test import APIClient

from tests.factory import Factory
from tests.factory.traces import traced

Api = Callable[..., APIClient]


def test_annotators_come_with_their_counts(factory: Factory, api: Api) -> None:
    made = traced(factory, ["AA", "A-"])

    rows = api(factory.dana()).get(f"/api/v1/datasets/{made.dataset.pk}/annotators").json()

    assert [(row["annotator"], row["num_rows"], row["num_alone"]) for row in rows] == [
        (made.annotators[0].pk, 2, 1),
        (made.annotators[1].pk, 1, 0),
    ]


def test_rows_come_in_pages_with_their_judgments(factory: Factory, api: Api) -> None:
    made = traced(factory, ["AA", "A-", "-A"])
    url = f"/api/v1/datasets/{made.dataset.pk}/judgments"

    shown = api(factory.dana()).get(url, {"annotator": made.annotators[0].pk, "limit": 1}).json()

    assert shown["count"] == 2
    [row] = shown["results"]
    assert {judgment["id"] for judgment in row["judgments"]} == set(row["row"]["judgment_ids"])
    assert row["judgments"][0]["campaign"] == made.campaign.pk


def test_an_annotator_of_elsewhere_is_refused(factory: Factory, api: Api) -> None:
    made = traced(factory, ["AA"])
    stranger = factory.judge(workspace=factory.workspace("Elsewhere"))

    answer = api(factory.dana()).get(f"/api/v1/datasets/{made.dataset.pk}/judgments", {"annotator": stranger.pk})

    assert answer.status_code == 400
