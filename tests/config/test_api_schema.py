"""The OpenAPI document and the page that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from pytest_django.live_server_helper import LiveServer

MOST_SCREENS = 200


@pytest.fixture
def schema() -> dict[str, object]:
    GENERATOR_STATS.reset()
    return dict(SchemaGenerator().get_schema(request=None, public=True))


def test_the_document_is_valid_and_made_without_a_warning(schema: dict[str, object]) -> None:
    validate_schema(schema)

    assert not GENERATOR_STATS


def test_the_document_is_served(db: None, client: Client) -> None:
    response = client.get("/api/schema/", headers={"accept": "application/json"})

    assert response.status_code == 200
    assert "/api/v1/datasets/{id}/download" in response.json()["paths"]


def test_the_page_needs_no_inline_script(client: Client) -> None:
    response = client.get("/api/docs/")

    page = response.content.decode()
    policy = {part.strip() for part in response.headers["Content-Security-Policy"].split(";")}
    assert response.status_code == 200
    assert 'src="/api/docs/?script="' in page
    assert "<script>" not in page
    assert "script-src 'self'" in policy
    assert "default-src 'none'" in policy


@pytest.mark.browser
def test_the_page_works_in_a_browser(live_server: LiveServer, page: Page) -> None:
    page.goto(f"{live_server.url}/api/docs/")
    page.locator(".opblock").first.wait_for()

    drawn: set[str] = set()  # only what is in view is drawn
    for _ in range(MOST_SCREENS):
        page.mouse.wheel(0, 500)
        page.wait_for_timeout(30)
        drawn |= set(page.locator(".opblock").evaluate_all("blocks => blocks.map(block => block.id)"))
        if len(drawn) > 50:
            break
    assert len(drawn) > 50
