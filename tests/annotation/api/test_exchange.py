"""Imports and exports of judgments over REST. Who may do so is in tests/config/test_roles.py."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import StreamingHttpResponse
from rest_framework.test import APIClient

from accounts.api import upload_parsers
from annotation.models import Campaign, Judgment
from tests.annotation.judgment_import.sources import lines, llmfao, pair, zipped
from tests.factory import Factory

Api = Callable[..., APIClient]
IMPORTS, EXPORT = "/api/v1/judgment-imports", "/api/v1/judgment-export"
VOTES = [("0", 5, "right"), ("1", 6, "left")]


def body_of(response: Any) -> bytes:
    assert isinstance(response, StreamingHttpResponse)
    return b"".join(response.streaming_content)  # type: ignore[arg-type] # a synchronous response


def imports_address(factory: Factory, **query: object) -> str:
    words = {"workspace": factory.workspace().pk, "name": "Votes", **query}
    return f"{IMPORTS}?{'&'.join(f'{name}={value}' for name, value in words.items())}"


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("application/x-ndjson", lines([pair(), pair("2 + 2?")]).encode()),
        ("application/json", json.dumps([pair(), pair("2 + 2?")]).encode()),
        ("application/gzip", gzip.compress(lines([pair(), pair("2 + 2?")]).encode())),
        ("application/zip", zipped(llmfao(VOTES))),
    ],
    ids=["lines", "json", "gzip", "zip"],  # the bytes of an archive hold the time
)
def test_a_body_is_a_file(factory: Factory, api: Api, content_type: str, content: bytes) -> None:
    response = api(factory.alice()).post(imports_address(factory), content, content_type=content_type)

    assert response.status_code == 201
    report = response.json()
    assert (report["num_added"], report["num_known"], report["problems"]) == (2, 0, [])
    assert Campaign.objects.get(pk=report["campaign"]).created_by == factory.alice()


def test_files_that_belong_together_are_parts(factory: Factory, api: Api) -> None:
    parts = [SimpleUploadedFile(name, _bytes(content)) for name, content in llmfao(VOTES, [("0", "tie")]).items()]
    response = api(factory.alice()).post(imports_address(factory), {"file": parts}, format="multipart")
    assert response.status_code == 201
    assert (response.json()["layout"], response.json()["num_added"]) == ("llmfao", 3)


def test_malformed_rows_are_listed_as_a_problem_document(factory: Factory, api: Api) -> None:
    content = lines([pair(), pair(chosen="")])
    client = api(factory.alice())
    response = client.post(imports_address(factory), content, content_type="application/x-ndjson")
    assert (response.status_code, response.json()["type"]) == (422, "urn:concord:rows-refused")
    assert response.json()["problems"] == [{"file": "body.jsonl", "row": 2, "reason": "the chosen reply has no text"}]
    address = imports_address(factory, skip_malformed="true")
    assert client.post(address, content, content_type="application/x-ndjson").json()["num_malformed"] == 1


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "file-unreadable"),
        (b"\x1f\x8b damaged", "file-unreadable"),
        (b"\xff\xfe{\x00}\x00", "file-unreadable"),
        (b'{"colour": 1}\n', "layout-unknown"),
        (b'{"chosen": "\\u0000", "rejected": "a"}\n', "layout-unknown"),
    ],
)
def test_what_cannot_be_read_is_a_problem_document(factory: Factory, api: Api, content: bytes, kind: str) -> None:
    for address in (imports_address(factory), f"{IMPORTS}/preview?workspace={factory.workspace().pk}"):
        response = api(factory.alice()).post(address, content, content_type="application/x-ndjson")
        assert (response.status_code, response.json()["type"]) == (422, f"urn:concord:{kind}")


def test_a_body_beyond_the_limit_is_refused(factory: Factory, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_parsers, "MAX_UPLOAD_BYTES", 10)
    response = api(factory.alice()).post(imports_address(factory), lines([pair()]), content_type="application/x-ndjson")
    assert response.status_code == 413


@pytest.mark.parametrize("query", ["layout=csv", "name=", "colour=red", "held_out_fraction=2"])
def test_unknown_or_wrong_parameters_are_refused(factory: Factory, api: Api, query: str) -> None:
    address = f"{imports_address(factory)}&{query}"
    assert api(factory.alice()).post(address, lines([pair()]), content_type="application/x-ndjson").status_code == 400


def test_an_unknown_media_type_is_refused(factory: Factory, api: Api) -> None:
    assert api(factory.alice()).post(imports_address(factory), "x", content_type="text/plain").status_code == 415


def test_a_preview_shows_votes_and_stores_nothing(factory: Factory, api: Api) -> None:
    address = f"{IMPORTS}/preview?workspace={factory.workspace().pk}&rows=2"
    content = lines([pair(), pair(chosen=""), pair("never shown")])
    response = api(factory.alice()).post(address, content, content_type="application/x-ndjson")
    shown = response.json()
    assert (shown["layout"], shown["question"]["kind"]) == ("trl", "pairwise")
    [vote] = shown["rows"][0]["votes"]
    winner = vote["answer"]["tiers"][0][0]
    assert vote["replies"][winner]["text"] == "2"
    assert (shown["rows"][1]["problem"], len(shown["rows"])) == ("the chosen reply has no text", 2)
    assert not Campaign.objects.exists()


@pytest.mark.parametrize("name", ["jsonl", "csv", "parquet"])
def test_an_export_is_a_streamed_attachment(factory: Factory, api: Api, name: str) -> None:
    campaign = factory.judged_campaign(num_comparisons=2, judges=2)
    response = api(factory.dana()).get(f"{EXPORT}?campaign={campaign.pk}&format={name}")
    content = body_of(response)
    assert response.headers["Content-Disposition"].startswith('attachment; filename="')
    assert response.headers["Content-Disposition"].endswith(f'-judgments.{name}"')
    assert response.headers["Cache-Control"] == "private, no-store"
    rows: list[Any] = {
        "jsonl": lambda: content.splitlines(),
        "csv": lambda: list(csv.DictReader(io.StringIO(content.decode(), newline=""))),
        "parquet": lambda: pq.read_table(io.BytesIO(content)).to_pylist(),
    }[name]()
    assert len(rows) == 4


def test_filters_choose(factory: Factory, api: Api) -> None:
    campaign = factory.judged_campaign(num_comparisons=1, judges=2)
    gold = Judgment.objects.earliest("pk")
    Judgment.objects.filter(pk=gold.pk).update(purpose="gold", is_current=False)
    client = api(factory.dana())

    def ids(query: str) -> set[int]:
        content = body_of(client.get(f"{EXPORT}?campaign={campaign.pk}&{query}"))
        return {json.loads(line)["judgment_id"] for line in content.splitlines()}

    everything = set(Judgment.objects.values_list("pk", flat=True))
    assert ids("purpose=gold") == {gold.pk}
    assert ids("is_current=true") == ids("purpose=main") == everything - {gold.pk}
    assert ids("since=2020-01-01T00:00:00Z") == everything
    assert ids("since=2099-01-01T00:00:00Z") == set()


@pytest.mark.parametrize("query", ["format=xml", "purpose=other", "since=yesterday", "campaign=x", "colour=red"])
def test_wrong_filters_are_refused(factory: Factory, api: Api, query: str) -> None:
    factory.judged_campaign(num_comparisons=1)
    assert api(factory.dana()).get(f"{EXPORT}?{query}").status_code == 400


def test_without_a_campaign_everything_that_one_may_read_leaves_and_nothing_else(factory: Factory, api: Api) -> None:
    mine = factory.judged_campaign(num_comparisons=1)
    factory.charlie()
    foreign = factory.campaign(workspace=factory.workspace("Elsewhere"), num_comparisons=1, annotators=[])
    factory.judgment(foreign.slots.get(), factory.judge(workspace=foreign.workspace))

    def campaigns(user: Any) -> set[int]:
        return {json.loads(line)["campaign_id"] for line in body_of(api(user).get(EXPORT)).splitlines()}

    assert campaigns(factory.dana()) == {mine.pk}
    assert campaigns(factory.charlie()) == {foreign.pk}
    assert campaigns(factory.admin()) == {mine.pk, foreign.pk}
    assert api(factory.bob()).get(EXPORT).json()["type"] == "urn:concord:nothing-to-export"


def _bytes(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content
