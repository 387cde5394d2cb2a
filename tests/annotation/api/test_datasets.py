"""Datasets and imports of pairs over REST."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.http import FileResponse
from rest_framework.test import APIClient

from annotation.models import Campaign, Judgment
from tests.factory import Factory, preference_rows

Api = Callable[..., APIClient]
DATASETS = "/api/v1/datasets"


def body_of(response: Any) -> bytes:
    assert isinstance(response, FileResponse)
    return b"".join(response.streaming_content)  # type: ignore[arg-type] # a synchronous response


def test_from_judgments_to_a_file(factory: Factory, api: Api, finish_jobs: Callable[[], int]) -> None:
    campaign, client = factory.judged_campaign(num_comparisons=4), api(factory.dana())
    body = {"workspace": factory.workspace().pk, "name": "v1", "campaigns": [campaign.pk], "filter": {"min_votes": 2}}

    made = client.post(DATASETS, body).json()
    finish_jobs()

    shown = client.get(f"{DATASETS}/{made['id']}").json()
    content = body_of(client.get(f"{DATASETS}/{made['id']}/download"))
    rows = pq.read_table(io.BytesIO(content)).to_pylist()
    assert (made["status"], shown["status"]) == ("queued", "finished")
    assert hashlib.sha256(content).hexdigest() == shown["sha256"]
    assert len(rows) == shown["num_rows"] == 3  # the fourth is a tie of two votes
    assert {row["votes_chosen"] for row in rows} == {2}


@pytest.mark.parametrize("name", ["parquet", "jsonl"])
def test_the_etag_is_the_hash_of_the_file(factory: Factory, api: Api, name: str) -> None:
    dataset, client = factory.dataset("pairs of mine"), api(factory.dana())
    address = f"{DATASETS}/{dataset.pk}/download?format={name}"

    response = client.get(address)

    content = body_of(response)
    etag = response.headers["ETag"]
    assert etag == f'"{hashlib.sha256(content).hexdigest()}"'
    assert int(response.headers["Content-Length"]) == len(content)
    assert response.headers["Content-Disposition"] == f'attachment; filename="pairs of mine.{name}"'
    assert client.get(address, headers={"if-none-match": etag}).status_code == 304
    assert client.get(address, headers={"if-none-match": '"other"'}).status_code == 200


def test_jsonl_holds_the_same_rows(factory: Factory, api: Api) -> None:
    dataset = factory.dataset(rows=preference_rows(5))

    lines = body_of(api(factory.dana()).get(f"{DATASETS}/{dataset.pk}/download?format=jsonl")).splitlines()

    assert [json.loads(line) for line in lines] == preference_rows(5)


@pytest.mark.parametrize("query", ["format=csv", "format=", "colour=red"])
def test_an_unknown_format_is_refused(factory: Factory, api: Api, query: str) -> None:
    response = api(factory.dana()).get(f"{DATASETS}/{factory.dataset().pk}/download?{query}")

    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("status", ["queued", "running", "failed", "cancelled"])
@pytest.mark.parametrize("page", ["download", "rows"])
def test_an_unfinished_dataset_has_no_file(factory: Factory, api: Api, status: str, page: str) -> None:
    dataset = factory.dataset(status=status)

    response = api(factory.dana()).get(f"{DATASETS}/{dataset.pk}/{page}")

    assert response.status_code == 409
    assert response.json()["type"] == "urn:concord:dataset-not-ready"


@pytest.mark.parametrize("page", ["download", "rows"])
def test_a_file_that_is_gone_is_a_named_error(factory: Factory, api: Api, page: str) -> None:
    dataset = factory.dataset()
    dataset.parquet_path.unlink()

    response = api(factory.dana()).get(f"{DATASETS}/{dataset.pk}/{page}")

    assert response.status_code == 410
    assert "freeze it again" in response.json()["detail"]


def test_rows_come_in_pages_across_row_groups(factory: Factory, api: Api) -> None:
    dataset, rows = factory.dataset(rows=preference_rows(10)), preference_rows(10)
    table = pq.read_table(dataset.parquet_path)
    pq.write_table(table, dataset.parquet_path, row_group_size=3)
    client = api(factory.dana())

    page = client.get(f"{DATASETS}/{dataset.pk}/rows?limit=4&offset=2").json()
    beyond = client.get(f"{DATASETS}/{dataset.pk}/rows?offset=100").json()

    assert page["count"] == 10
    assert page["results"] == rows[2:6]
    assert "offset=6" in page["next"]
    assert beyond["results"] == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"campaigns": []}, 422),
        ({"kind": "rewards"}, 400),
        ({"filter": {"colour": "red"}}, 422),
        ({"filter": {"min_votes": 0}}, 422),
        ({"filter": []}, 400),
        ({"campaigns": [999999]}, 400),
        ({"campaigns": "all"}, 400),
        ({"kind": "demonstrations", "prompt_set": 999999}, 400),
    ],
)
def test_what_cannot_be_frozen_is_refused(factory: Factory, api: Api, change: dict[str, Any], status: int) -> None:
    body = {"workspace": factory.workspace().pk, "name": "x", "campaigns": [factory.campaign().pk], **change}

    response = api(factory.dana()).post(DATASETS, body)

    assert response.status_code == status
    assert response.json()["detail"]


def test_datasets_are_found_by_campaign_and_status(factory: Factory, api: Api) -> None:
    campaign = factory.campaign()
    wanted = factory.dataset(campaigns=[campaign])
    factory.dataset(status="failed", campaigns=[campaign])
    factory.dataset()

    rows = api(factory.dana()).get(f"{DATASETS}?campaign={campaign.pk}&status=finished").json()["results"]

    assert [row["id"] for row in rows] == [wanted.pk]


def import_pairs(api: Api, factory: Factory, body: str, **query: Any) -> Any:
    client: Any = api(factory.alice())
    address = "/api/v1/preference-pairs"
    parameters = {"workspace": factory.workspace().pk, "name": "hh", **query}
    return client.post(
        address, body, content_type="application/x-ndjson", query_params={k: str(v) for k, v in parameters.items()}
    )


PAIRS = (
    '{"prompt": "Hello?", "chosen": "Hello!", "rejected": "No."}\n'
    '{"chosen": "\\n\\nHuman: Bye?\\n\\nAssistant: Bye!", "rejected": "\\n\\nHuman: Bye?\\n\\nAssistant: Stay."}\n'
)


def test_pairs_become_a_closed_campaign_once(factory: Factory, api: Api) -> None:
    first, second = (import_pairs(api, factory, PAIRS) for _ in range(2))

    assert first.status_code == 201
    assert (first.json()["num_pairs"], first.json()["num_known"]) == (2, 0)
    assert (second.json()["num_pairs"], second.json()["num_known"]) == (0, 2)
    assert Campaign.objects.get(pk=first.json()["campaign"]).status == "closed"
    assert Judgment.objects.count() == 2


def test_malformed_pairs_are_named_and_nothing_is_imported(factory: Factory, api: Api) -> None:
    body = PAIRS + '{"prompt": "Same?", "chosen": "a", "rejected": "a"}\n'

    strict = import_pairs(api, factory, body)
    lenient = import_pairs(api, factory, body, skip_malformed="true")

    assert strict.status_code == 422
    assert [problem["line"] for problem in strict.json()["problems"]] == [3]
    assert lenient.json()["skipped"][0]["line"] == 3
    assert lenient.json()["num_pairs"] == 2


@pytest.mark.parametrize("query", [{"name": ""}, {"held_out_fraction": "much"}, {"colour": "red"}])
def test_malformed_parameters_are_named(factory: Factory, api: Api, query: dict[str, str]) -> None:
    response = import_pairs(api, factory, PAIRS, **query)

    assert response.status_code == 400
    assert response.json()["errors"].keys() == query.keys()
