"""Dataset pages and downloads."""

import hashlib
import json

import pytest
from django.http import FileResponse

from tests.factory import Factory
from tests.frontend.conftest import READERS_ONLY, Browse, Statuses


@pytest.mark.parametrize("ending", ["", "data.parquet", "data.jsonl"])
def test_readers_alone_see_and_download_a_dataset(factory: Factory, statuses: Statuses, ending: str) -> None:
    dataset = factory.dataset()

    assert statuses(f"/datasets/{dataset.pk}/{ending}") == READERS_ONLY


def test_the_page_shows_hash_counts_lineage_and_first_rows(factory: Factory, browse: Browse) -> None:
    campaign = factory.campaign("Round two")
    dataset = factory.dataset(
        campaigns=[campaign], counts={"rows": {"train": 6, "held_out": 2}}, filter={"drop_ties": True}
    )
    run = factory.training_run(dataset=dataset)

    page = browse(factory.alice()).get(f"/datasets/{dataset.pk}/").content.decode()

    assert dataset.sha256 in page
    assert "train 6 · held out 2" in page
    assert "drop ties" in page
    assert f'href="/campaigns/{campaign.pk}/"' in page
    assert f'href="/training/{run.pk}/"' in page
    assert "What is 0 plus 1?" in page


def test_demonstrations_are_previewed_too(factory: Factory, browse: Browse) -> None:
    messages = json.dumps([{"role": "user", "content": "Say hi"}])
    rows = [{"prompt": messages, "completion": "hi there", "split": "train"}]
    dataset = factory.dataset(kind="demonstrations", rows=rows)

    page = browse(factory.alice()).get(f"/datasets/{dataset.pk}/").content.decode()

    assert "Say hi" in page
    assert "hi there" in page


@pytest.mark.parametrize(("ending", "column"), [("data.parquet", "sha256"), ("data.jsonl", "jsonl_sha256")])
def test_a_download_is_the_hashed_file(factory: Factory, browse: Browse, ending: str, column: str) -> None:
    dataset = factory.dataset()

    reply = browse(factory.dana()).get(f"/datasets/{dataset.pk}/{ending}")

    assert isinstance(reply, FileResponse)
    assert hashlib.sha256(reply.getvalue()).hexdigest() == getattr(dataset, column)
    assert f"concord-dataset-{dataset.pk}" in reply["Content-Disposition"]


def test_what_is_not_frozen_yet_cannot_be_downloaded(factory: Factory, browse: Browse) -> None:
    dataset = factory.dataset(status="running")
    client = browse(factory.alice())

    assert "data.parquet" not in client.get(f"/datasets/{dataset.pk}/").content.decode()
    assert client.get(f"/datasets/{dataset.pk}/data.parquet").status_code == 404


def test_htmx_gets_the_moving_part_alone(factory: Factory, browse: Browse) -> None:
    dataset = factory.dataset(status="running")

    fragment = browse(factory.alice(), htmx=True).get(f"/datasets/{dataset.pk}/").content.decode()

    assert "<html" not in fragment
    assert "every 2s" in fragment


def test_the_list_holds_what_one_may_read(factory: Factory, browse: Browse) -> None:
    factory.dataset("Pairs of May")

    assert "Pairs of May" in browse(factory.alice()).get("/datasets/").content.decode()
    assert "Pairs of May" not in browse(factory.charlie()).get("/datasets/").content.decode()
