"""A real Chromium in front of a live server. The console must stay clean: no error, no refused script or style."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from accounts.models import User
from tests.factory import PASSWORD

SETTLE_MS = 300  # a key that comes sooner after a new task is meant for the one before, and does nothing


@dataclass(frozen=True)
class Desk:
    """One browser window, and what its console complained about."""

    page: Page
    address: str
    complaints: list[str]

    def sign_in(self, user: User) -> None:
        """Through the form, by keyboard."""
        self.page.goto(f"{self.address}/sign-in/")
        self.page.keyboard.type(user.username)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.address}/")

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def press(self, *keys: str) -> None:
        """Press keys as somebody does who has read the task."""
        self.page.wait_for_timeout(SETTLE_MS)
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture
def desk(chromium: Browser, live_server: object) -> Iterator[Desk]:
    """A window of 1366 × 768 on the live server."""
    context = chromium.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.set_default_timeout(15_000)
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield Desk(page, str(live_server), complaints)
    context.close()
