"""A real Chromium in front of a live server. The console must stay clean: no error, no refused script or style."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from accounts.models import User
from annotation import slot_numbers
from annotation.models import Campaign
from tests.factory import PASSWORD
from tests.quiet import wait_until_served

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
        expect(self.page.get_by_label("Name")).to_be_focused()
        self.page.keyboard.type(user.username)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.address}/")

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def label(self, user: User, campaign: Campaign) -> None:
        """Sign in and take the first task."""
        self.sign_in(user)
        self.open(f"/label/{campaign.pk}/")
        self.page.wait_for_selector("#labeling[data-state]")

    def slot(self) -> int:
        """The task that is shown."""
        return slot_numbers.pk_of(int(self.page.locator("#task input[name=slot]").input_value()))

    def wait_for_next(self) -> None:
        """Until the task after the shown one lies ready."""
        self.page.wait_for_selector("#labeling[data-ready]")

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """For what happens on the server behind the page's back."""
        for _ in range(150):
            if is_so():
                return
            self.page.wait_for_timeout(100)
        raise AssertionError("It did not become so in 15 s.")

    def press(self, *keys: str) -> None:
        """Press keys as somebody does who has read the task, which shows once the page has met its other tabs."""
        self.page.locator("#labeling:not([data-state])").wait_for(state="detached")
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
    wait_until_served()
