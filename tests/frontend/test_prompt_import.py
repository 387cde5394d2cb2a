"""The pages on which prompts come in."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from generation.models import Prompt, PromptSet
from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses

IMPORT, PREVIEW, RUN = "/prompt-sets/import/", "/prompt-sets/import/preview/", "/prompt-sets/import/run/"
TABLE = "goal,kind,label\n<script>alert(1)</script>,game,unsafe\n,,\n"


def form(factory: Factory, content: str = TABLE, **more: object) -> dict[str, Any]:
    upload = SimpleUploadedFile("goals.csv", content.encode())
    return {"workspace": factory.workspace().pk, "name": "Goals", "prompt": "goal", "files": [upload], **more}


def test_readers_see_the_sets_and_only_managers_import(factory: Factory, statuses: Statuses, browse: Browse) -> None:
    factory.prompt_set("Sums", num_prompts=2)
    assert statuses("/prompt-sets/") == {**READERS_ONLY, "charlie": 200}
    assert statuses(IMPORT) == {"alice": 200, "dana": 404, "bob": 404, "charlie": 200, "nobody": 302}
    assert "Sums" in browse(factory.dana()).get("/prompt-sets/").content.decode()
    assert "Sums" not in browse(factory.charlie()).get("/prompt-sets/").content.decode()


@pytest.mark.parametrize("address", [PREVIEW, RUN])
def test_nobody_imports_into_a_workspace_that_they_do_not_manage(
    factory: Factory, browse: Browse, address: str
) -> None:
    factory.alice()
    for user in (factory.dana(), factory.bob(), factory.charlie()):
        assert browse(user).post(address, form(factory)).status_code == 422
    assert browse().post(address, form(factory)).status_code == 302
    assert not PromptSet.objects.exists()


def test_a_preview_is_a_fragment_that_stores_nothing(factory: Factory, browse: Browse) -> None:
    wanted = form(factory, tags="kind, label", is_sensitive="label")
    page = browse(factory.alice(), htmx=True).post(PREVIEW, wanted).content.decode()
    assert "<html" not in page
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "prompt ← <code>goal</code>, tags ← <code>kind, label</code>, is sensitive ← <code>label</code>" in page
    assert "turn 1 is empty" in page
    assert not PromptSet.objects.exists()


def test_an_import_shows_what_became_of_it(factory: Factory, browse: Browse) -> None:
    page = browse(factory.alice()).post(RUN, form(factory, skip_malformed="on", is_sensitive="label")).content.decode()
    assert "1 prompt added" in page
    assert "turn 1 is empty" in page
    prompt = Prompt.objects.get()
    assert (prompt.prompt_set.name, prompt.is_sensitive) == ("Goals", True)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"prompt": "aim"}, "There is no column"),
        ({"files": []}, "no file to read"),
        ({}, "malformed"),
        ({"name": ""}, "This field is required"),
        ({"layout": "poem"}, "not one of the available choices"),
    ],
)
def test_what_cannot_be_imported_is_told(factory: Factory, browse: Browse, more: dict[str, Any], word: str) -> None:
    response = browse(factory.alice()).post(RUN, form(factory, **more))
    assert response.status_code == 422
    assert word in response.content.decode()
    assert not PromptSet.objects.exists()
