"""Prompt sets and imports of prompts over REST."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from generation.models import Prompt, PromptSet
from generation.splits import split_of
from tests.factory import Factory

Api = Callable[..., APIClient]
SETS = "/api/v1/prompt-sets"


def post_lines(client: APIClient, prompt_set: PromptSet, body: bytes) -> Any:
    poster: Any = client
    return poster.generic("POST", f"{SETS}/{prompt_set.pk}/prompts", body, content_type="application/x-ndjson")


def test_a_manager_creates_a_set(factory: Factory, api: Api) -> None:
    body = {"workspace": factory.workspace().pk, "name": "Greetings", "licence": "CC0", "held_out_fraction": 0.5}

    response = api(factory.alice()).post(SETS, body)

    assert response.status_code == 201
    assert response.json() | body == response.json()
    assert response.json()["num_prompts"] == 0


def test_a_taken_name_is_a_conflict(factory: Factory, api: Api) -> None:
    factory.prompt_set("Greetings")

    response = api(factory.alice()).post(SETS, {"workspace": factory.workspace().pk, "name": "Greetings"})

    assert response.status_code == 409
    assert response.json()["type"] == "urn:concord:name-taken"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 121),
        ("name", "a\0b"),
        ("name", "half a pair: \ud800"),
        ("held_out_fraction", 1),
        ("held_out_fraction", "much"),
    ],
)
def test_a_malformed_field_is_named(factory: Factory, api: Api, field: str, value: Any) -> None:
    body = json.dumps({"workspace": factory.workspace().pk, "name": "x", field: value})
    poster: Any = api(factory.alice())

    response = poster.generic("POST", SETS, body, content_type="application/json")

    assert response.status_code == 400
    assert response.json()["errors"].keys() == {field}


def test_sets_are_found_by_name_and_counted(factory: Factory, api: Api) -> None:
    factory.prompt_set("Greetings", num_prompts=3)
    factory.prompt_set("Sums")

    rows = api(factory.dana()).get(f"{SETS}?name=greet").json()["results"]

    assert [(row["name"], row["num_prompts"]) for row in rows] == [("Greetings", 3)]


def test_prompts_are_imported_once(factory: Factory, api: Api) -> None:
    prompt_set, client = factory.prompt_set(), api(factory.alice())
    body = (
        b'{"prompt": "Hello?", "reference": "Hi", "tags": ["greeting"]}\n\n'
        b'{"messages": [{"role": "user", "content": "Bye?"}]}\n'
    )

    first, second = post_lines(client, prompt_set, body), post_lines(client, prompt_set, body)

    assert [(report.json()["num_added"], report.json()["num_known"]) for report in (first, second)] == [(2, 0), (0, 2)]


def test_a_byte_order_mark_is_no_part_of_the_first_line(factory: Factory, api: Api) -> None:
    response = post_lines(api(factory.alice()), factory.prompt_set(), b'\xef\xbb\xbf{"prompt": "Hello?"}')

    assert response.json()["num_added"] == 1


def test_malformed_lines_are_all_named_and_nothing_is_imported(factory: Factory, api: Api) -> None:
    prompt_set = factory.prompt_set()
    body = b'{"prompt": "Hello?"}\n{"prompt": ""}\nno json\n{"prompt": "\xff"}\n'

    response = post_lines(api(factory.alice()), prompt_set, body)

    assert (response.status_code, response.json()["type"]) == (422, "urn:concord:rows-refused")
    assert [row["row"] for row in response.json()["problems"]] == [2, 3, 4]
    assert not prompt_set.prompts.exists()


def test_an_unknown_media_type_is_refused(factory: Factory, api: Api) -> None:
    poster: Any = api(factory.alice())

    response = poster.generic("POST", f"{SETS}/{factory.prompt_set().pk}/prompts", b"Hello?", content_type="text/plain")

    assert response.status_code == 415


def test_a_table_is_sent_with_the_names_of_its_columns(factory: Factory, api: Api) -> None:
    poster: Any = api(factory.alice())
    address = f"{SETS}/{factory.prompt_set().pk}/prompts"
    query = "prompt=goal&tags=kind,place&is_sensitive=label&skip_malformed=true"
    body = b"goal,kind,place,label\nWin,game,park,unsafe\n,,,\n"

    shown = poster.generic("POST", f"{address}/preview?{query.partition('&skip')[0]}", body, content_type="text/csv")
    report = poster.generic("POST", f"{address}?{query}", body, content_type="text/csv")

    assert [row["problem"] for row in shown.json()["rows"]] == ["", "turn 1 is empty"]
    assert shown.json()["rows"][0]["prompts"][0]["tags"] == ["game", "park"]
    assert (report.json()["num_added"], report.json()["num_malformed"]) == (1, 1)
    assert report.json()["columns"]["is_sensitive"] == "label"
    assert Prompt.objects.get().is_sensitive


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ("layout=poem", 400, "invalid"),
        ("colour=red", 400, "invalid"),
        ("prompt=goal", 422, "columns-unknown"),
        ("layout=alpaca", 422, "rows-refused"),
    ],
)
def test_what_does_not_fit_the_file_is_told(factory: Factory, api: Api, query: str, status: int, kind: str) -> None:
    poster: Any = api(factory.alice())
    address = f"{SETS}/{factory.prompt_set().pk}/prompts?{query}"

    response = poster.generic("POST", address, b'{"prompt": "Hello?"}', content_type="application/x-ndjson")

    assert (response.status_code, response.json()["type"]) == (status, f"urn:concord:{kind}")


def test_prompts_are_listed_with_their_split(factory: Factory, api: Api) -> None:
    prompt_set = factory.prompt_set(num_prompts=12, held_out_fraction=0.5)

    rows = api(factory.dana()).get(f"{SETS}/{prompt_set.pk}/prompts?limit=5").json()

    assert rows["count"] == 12
    assert len(rows["results"]) == 5
    for row in rows["results"]:
        assert row["split"] == split_of(row["fingerprint"], 0.5)
        assert row["messages"][0]["role"] == "user"


def test_prompts_are_found_by_tag(factory: Factory, api: Api) -> None:
    prompt_set = factory.prompt_set(num_prompts=2)
    Prompt.objects.filter(pk=prompt_set.prompts.earliest("pk").pk).update(tags=["greeting", "short"])

    rows = api(factory.dana()).get(f"{SETS}/{prompt_set.pk}/prompts?tag=greeting").json()

    assert rows["count"] == 1
