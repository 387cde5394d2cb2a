"""Imports and exports in a browser: preview without leaving the page, import, download."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotation.models import Campaign
from tests.annotation.judgment_import.sources import lines, llmfao, pair
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser


def test_a_manager_looks_first_and_then_imports(factory: Factory, desk: Desk, tmp_path: Path) -> None:
    paths = []
    for name, content in llmfao([("0", 5, "right"), ("1", 6, "tie")], [("0", "left")]).items():
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        paths.append(path)
    desk.sign_in(factory.alice())
    desk.open("/campaigns/import/")
    desk.page.get_by_label("Campaign", exact=True).fill("Votes")
    desk.page.get_by_label("Files").set_input_files(paths)

    desk.page.get_by_role("button", name="Preview").click()
    desk.page.get_by_role("heading", name="The first rows").wait_for()
    assert desk.page.get_by_role("row").count() == 4
    assert not Campaign.objects.exists()

    desk.page.get_by_role("button", name="Import").click()
    desk.page.get_by_role("heading", name="3 judgments added").wait_for()
    assert Campaign.objects.get().name == "Votes"


def test_what_is_wrong_with_a_file_is_told_in_place(factory: Factory, desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(lines([{"colour": "red"}]))
    desk.sign_in(factory.alice())
    desk.open("/campaigns/import/")
    desk.page.get_by_label("Campaign", exact=True).fill("Votes")
    desk.page.get_by_label("Files").set_input_files(path)

    desk.page.get_by_role("button", name="Preview").click()
    desk.page.get_by_text("The layout of this file is not known").wait_for()

    path.write_text(lines([pair()]))
    desk.page.get_by_label("Files").set_input_files(path)
    desk.page.get_by_role("button", name="Preview").click()
    desk.page.get_by_role("heading", name="The first rows").wait_for()
    desk.complaints.clear()  # Chromium writes every status of 4.. to its console


def test_an_export_arrives_as_a_file(factory: Factory, desk: Desk) -> None:
    campaign = factory.judged_campaign(num_comparisons=2)
    desk.sign_in(factory.dana())
    desk.open(f"/campaigns/export/?campaign={campaign.pk}")
    desk.page.get_by_label("Format").select_option("csv")
    with desk.page.expect_download() as download:
        desk.page.get_by_role("button", name="Download").click()
    assert len(Path(download.value.path()).read_text().splitlines()) == 5
