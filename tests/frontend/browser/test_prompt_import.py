"""Importing prompts in a browser: look at a table, choose its columns, import it."""

from __future__ import annotations

import pytest

from generation.models import Prompt
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser
TABLE = b"goal,kind,label\nOpen a jar,kitchen,safe\nRob a bank,crime,unsafe\n"


def test_columns_are_chosen_from_those_that_the_preview_found(factory: Factory, desk: Desk) -> None:
    desk.sign_in(factory.alice())
    desk.open("/prompt-sets/import/")
    page = desk.page
    page.set_input_files("#id_files", {"name": "goals.csv", "mimeType": "text/csv", "buffer": TABLE})
    page.fill("#id_name", "Goals")
    page.get_by_role("button", name="Preview").click()
    page.wait_for_selector("#preview table")
    found = page.locator("#columns-found option").evaluate_all("options => options.map(option => option.value)")
    assert found == ["goal", "kind", "label"]
    page.get_by_text("Columns of a table").click()
    page.fill("#id_is_sensitive", "label")
    page.get_by_role("button", name="Import").click()
    page.wait_for_selector("text=2 prompts added")
    assert list(Prompt.objects.values_list("is_sensitive", flat=True)) == [False, True]
    assert desk.complaints == []
