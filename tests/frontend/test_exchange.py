"""The pages on which judgments come in and leave."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import StreamingHttpResponse

from annotation.models import Campaign, Judgment
from tests.annotation.judgment_import.sources import lines, llmfao, pair
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses

IMPORT, PREVIEW, RUN = "/campaigns/import/", "/campaigns/import/preview/", "/campaigns/import/run/"


def form(factory: Factory, content: str | None = None, **more: object) -> dict[str, Any]:
    upload = SimpleUploadedFile("pairs.jsonl", (content if content is not None else lines([pair()])).encode())
    return {"workspace": factory.workspace().pk, "name": "Votes", "layout": "", "files": [upload], **more}


def test_only_managers_import(factory: Factory, statuses: Statuses) -> None:
    assert statuses(IMPORT) == {"alice": 200, "dana": 404, "bob": 404, "charlie": 200, "nobody": 302}


@pytest.mark.parametrize("address", [PREVIEW, RUN])
def test_nobody_imports_into_a_workspace_that_they_do_not_manage(
    factory: Factory, browse: Browse, address: str
) -> None:
    factory.alice()
    answers = {
        user.username: browse(user).post(address, form(factory)).status_code
        for user in (factory.dana(), factory.bob(), factory.charlie())
    }
    assert set(answers.values()) == {422}
    assert browse().post(address, form(factory)).status_code == 302
    assert not Campaign.objects.exists()


def test_a_preview_is_a_fragment_that_stores_nothing(factory: Factory, browse: Browse) -> None:
    hostile = pair("<script>alert(1)</script>", "<b>2</b>", "3")
    content = lines([hostile, pair(chosen="")])
    page = browse(factory.alice(), htmx=True).post(PREVIEW, form(factory, content)).content.decode()
    assert "<html" not in page
    assert "TRL preference pairs" in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "the chosen reply has no text" in page
    assert not Campaign.objects.exists()


def test_an_import_shows_what_became_of_it(factory: Factory, browse: Browse) -> None:
    uploads = [
        SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)
        for name, content in llmfao([("0", 5, "right"), ("0", 6, "both")]).items()
    ]
    wanted = form(factory, files=uploads, skip_malformed="on")
    page = browse(factory.alice()).post(RUN, wanted).content.decode()
    assert "1 judgment added" in page
    assert "winner must be left, right or tie" in page
    assert Campaign.objects.get().created_by == factory.alice()


@pytest.mark.parametrize(
    ("content", "word"), [("{", "look"), ("", "no file to read"), (lines([pair(chosen="")]), "malformed")]
)
def test_what_cannot_be_imported_is_told(factory: Factory, browse: Browse, content: str, word: str) -> None:
    wanted = form(factory, content)
    if not content:
        wanted["files"] = []
    response = browse(factory.alice()).post(RUN, wanted)
    assert response.status_code == 422
    assert word in response.content.decode()
    assert not Campaign.objects.exists()


def test_a_missing_name_is_told_beside_its_field(factory: Factory, browse: Browse) -> None:
    response = browse(factory.alice()).post(RUN, form(factory, name=""))
    assert response.status_code == 422
    assert "This field is required" in response.content.decode()


def test_only_readers_export(factory: Factory, statuses: Statuses) -> None:
    campaign = factory.judged_campaign(num_comparisons=1)
    query = f"campaign={campaign.pk}&format=csv"
    assert statuses("/campaigns/export/") == {**READERS_ONLY, "charlie": 200}
    assert statuses(f"/campaigns/export/file/?{query}") == READERS_ONLY


def test_an_export_is_downloaded(factory: Factory, browse: Browse) -> None:
    campaign = factory.judged_campaign(num_comparisons=2, judges=1)
    address = f"/campaigns/export/file/?campaign={campaign.pk}&format=jsonl&purpose=main&is_current=on&since="
    response: Any = browse(factory.dana()).get(address)
    assert isinstance(response, StreamingHttpResponse)
    assert "attachment" in response.headers["Content-Disposition"]
    content = io.BytesIO(b"".join(response.streaming_content))  # type: ignore[arg-type] # a synchronous response
    assert {json.loads(line)["judgment_id"] for line in content} == set(Judgment.objects.values_list("pk", flat=True))


def test_the_form_knows_only_campaigns_that_one_may_read(factory: Factory, browse: Browse) -> None:
    factory.judged_campaign(num_comparisons=1, name="Ours alone")
    assert "Ours alone" in browse(factory.dana()).get("/campaigns/export/").content.decode()
    assert "Ours alone" not in browse(factory.charlie()).get("/campaigns/export/").content.decode()


@pytest.mark.parametrize("query", ["format=xml", "format=csv&since=yesterday"])
def test_wrong_choices_show_the_form_again(factory: Factory, browse: Browse, query: str) -> None:
    factory.judged_campaign(num_comparisons=1)
    assert browse(factory.dana()).get(f"/campaigns/export/file/?{query}").status_code == 422
