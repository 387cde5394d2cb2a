"""The OpenAPI document and the page that shows it."""

import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema


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
    policy = response.headers["Content-Security-Policy"]
    assert response.status_code == 200
    assert 'src="/api/docs/?script="' in page
    assert "<script>" not in page
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy


@pytest.mark.browser
def test_the_page_works_in_a_browser(live_server: object) -> None:
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch()
        page = browser.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{live_server}/api/docs/")
        page.locator(".opblock-tag-section").first.wait_for()
        num_operations = page.locator(".opblock").count()
        browser.close()

    assert num_operations > 50
    assert complaints == []
