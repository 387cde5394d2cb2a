"""Answers on their way: without a connection, without a server, across reloads, and never twice."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from accounts.models import User
from annotation.models import Campaign, Judgment, Slot
from tests import workers
from tests.factory import Factory
from tests.frontend.browser.conftest import Desk

pytestmark = pytest.mark.browser


@pytest.fixture
def web(transactional_db: None, tmp_path: Path) -> Iterator["Web"]:
    """A web server of its own on the test database, which can be killed."""
    server = Web(tmp_path)
    server.start()
    yield server
    server.process.kill()


class Web:
    """One gunicorn on one port, whatever becomes of its processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = workers.free_port()

    def start(self) -> None:
        options = f"--bind=127.0.0.1:{self.port} --workers=1 --threads=4 --graceful-timeout=0".split()
        self.process = workers.start_process(
            [sys.executable, "-m", "gunicorn", "config.wsgi", *options],
            log_path=self.folder / "web.log",
            environment={"DATABASE_URL": workers.test_database_url(), "ALLOWED_HOSTS": "localhost,127.0.0.1"},
        )
        workers.wait_until(
            lambda: "Booting worker" in self.process.log, why=lambda: self.process.log, child=self.process
        )

    def take_task(self, desk: Desk, user: User, campaign: Campaign) -> Desk:
        """The same window on this server. Cookies know no ports, and this process knows no passwords of tests."""
        desk.sign_in(user)
        there = Desk(desk.page, f"http://localhost:{self.port}", desk.complaints)
        there.open(f"/label/{campaign.pk}/")
        there.page.wait_for_selector("#labeling[data-state]")
        return there


def test_without_a_connection_answers_wait_and_are_sent_in_order(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=4)
    page = desk.page
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    page.context.set_offline(True)

    desk.press("1", "Enter")
    desk.press("2", "Enter")
    expect(page.locator("#saved")).to_have_text("2 unsaved: no connection, trying again …")
    expect(page.locator("#day strong")).to_have_text("2")
    expect(page.locator("#task")).to_contain_text("Fetching the next task")
    assert not Judgment.objects.exists()
    page.context.set_offline(False)

    expect(page.locator("#saved")).to_have_text("Saved ✓")
    first, second = Judgment.objects.order_by("pk")
    assert first.answer["tiers"][0] == [first.display_order[0]]
    assert second.answer["tiers"][0] == [second.display_order[1]]
    expect(page.locator("#labeling")).to_have_attribute("data-state", "task")  # and the work goes on


def test_an_unsent_answer_survives_a_reload_and_its_task_does_not_come_again(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=3)
    page = desk.page
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    answered = desk.slot()
    page.route("**/submit/", lambda route: route.abort())
    desk.press("1", "Enter")
    expect(page.locator("#saved")).to_contain_text("1 unsaved")

    page.reload()
    expect(page.locator("#saved")).to_contain_text("1 unsaved")
    expect(page.locator("#labeling")).to_have_attribute("data-state", "task")
    assert desk.slot() != answered
    page.unroute("**/submit/")

    expect(page.locator("#saved")).to_have_text("Saved ✓")
    assert Judgment.objects.get().slot_id == answered


def test_an_answer_whose_reply_was_lost_is_stored_once(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=2)
    page = desk.page
    desk.label(factory.bob(), campaign)
    lost: list[int] = []

    def lose_first_reply(route: object) -> None:
        reply = route.fetch()  # type: ignore[attr-defined] # playwright's Route; the server has stored it by now
        if lost:
            route.fulfill(response=reply)  # type: ignore[attr-defined] # likewise
        else:
            lost.append(reply.status)
            route.abort()  # type: ignore[attr-defined] # likewise

    page.route("**/submit/", lose_first_reply)
    desk.press("1", "Enter")

    expect(page.locator("#saved")).to_have_text("Saved ✓")
    assert lost == [200]
    assert Judgment.objects.count() == 1


def test_an_answer_survives_the_death_of_the_web_process(factory: Factory, desk: Desk, web: Web) -> None:
    campaign = factory.campaign(num_comparisons=3)
    page = desk.page
    there = web.take_task(desk, factory.bob(), campaign)
    there.wait_for_next()

    there.press("1")
    web.process.kill()
    page.keyboard.press("Enter")
    expect(page.locator("#saved")).to_contain_text("1 unsaved")
    there.press("2", "Enter")
    web.start()

    expect(page.locator("#saved")).to_have_text("Saved ✓", timeout=30_000)
    assert Judgment.objects.count() == 2
    expect(page.locator("#labeling")).to_have_attribute("data-state", "task", timeout=30_000)


def test_a_stored_answer_survives_the_death_of_the_web_process(factory: Factory, desk: Desk, web: Web) -> None:
    campaign = factory.campaign(num_comparisons=3)
    there = web.take_task(desk, factory.bob(), campaign)
    there.press("1", "Enter")
    expect(desk.page.locator("#saved")).to_have_text("Saved ✓")

    web.process.kill()

    assert Judgment.objects.count() == 1


def test_a_lost_lease_brings_the_task_back_with_its_answer(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=3)
    page = desk.page
    desk.label(factory.bob(), campaign)
    lost = desk.slot()
    Slot.objects.filter(pk=lost).update(annotator=factory.judge())

    desk.press("2", "Enter")

    expect(page.locator("#notice")).to_contain_text("somebody else has taken it")
    expect(page.locator("#notice")).to_contain_text("Your answer was “B > A”; it has not been stored.")
    assert desk.slot() == lost
    expect(page.locator(".is-chosen")).to_contain_text("B is better")
    expect(page.locator("#day strong")).to_have_text("0")
    page.get_by_role("button", name="Take the next task").click()
    expect(page.locator("#notice")).to_be_empty()
    desk.press("1", "Enter")
    expect(page.locator("#saved")).to_have_text("Saved ✓")
    assert Judgment.objects.get().slot_id != lost


def test_a_refused_answer_brings_the_task_back_with_the_broken_rule(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=2)
    page = desk.page
    desk.label(factory.bob(), campaign)
    refused = desk.slot()
    page.evaluate("document.querySelector('button[name=answer]').value = JSON.stringify({tiers: [[0]]})")

    desk.press("1", "Enter")

    expect(page.locator("#notice")).to_contain_text("The answer is not complete")
    assert desk.slot() == refused
    desk.press("2", "Enter")
    expect(page.locator("#saved")).to_have_text("Saved ✓")
    assert Judgment.objects.get().slot_id == refused


def test_an_answer_is_never_sent_under_another_users_name(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=2)
    factory.enrolment(campaign, factory.dana())
    page = desk.page
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    page.context.route("**/submit/", lambda route: route.abort())  # in both tabs
    desk.press("1", "Enter")
    expect(page.locator("#saved")).to_contain_text("1 unsaved")
    other = Desk(page.context.new_page(), desk.address, desk.complaints)
    other.open("/")
    other.page.get_by_role("button", name="Sign out").click()
    other.sign_in(factory.dana())
    page.context.unroute("**/submit/")

    expect(page.locator("#saved")).to_have_text("1 unsaved: somebody else has signed in here", timeout=20_000)
    other.open(f"/label/{campaign.pk}/")
    expect(other.page.locator("#saved")).to_be_empty()
    assert not Judgment.objects.exists()


def test_where_nothing_can_be_kept_leaving_asks_first(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=2)
    page = desk.page
    page.add_init_script("Storage.prototype.setItem = () => { throw new Error('full') }")
    desk.label(factory.bob(), campaign)
    desk.wait_for_next()
    page.route("**/submit/", lambda route: route.abort())
    desk.press("1", "Enter")
    expect(page.locator("#saved")).to_contain_text("1 unsaved")
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined] # playwright's Dialog
        dialog.dismiss()  # type: ignore[attr-defined] # likewise

    page.on("dialog", stay)
    page.evaluate("setTimeout(() => location.assign('/'))")
    desk.wait_until(lambda: asked == ["beforeunload"])
    page.unroute("**/submit/")

    expect(page.locator("#saved")).to_have_text("Saved ✓")
    assert Judgment.objects.count() == 1


def test_an_unsent_answer_is_sent_from_the_list_of_campaigns(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=2)
    page = desk.page
    desk.label(factory.bob(), campaign)
    page.route("**/submit/", lambda route: route.abort())
    desk.press("1", "Enter")
    expect(page.locator("#saved")).to_contain_text("1 unsaved")

    desk.open("/")
    expect(page.locator("#unsent")).to_have_text("1 of your answers is not stored yet: trying again …")
    page.unroute("**/submit/")

    expect(page.locator("#unsent")).to_have_text("Your unsent answers have been stored.")
    assert Judgment.objects.count() == 1


def test_what_is_unsent_lies_under_the_users_and_the_campaigns_name(factory: Factory, desk: Desk) -> None:
    campaign = factory.campaign(num_comparisons=2)
    page = desk.page
    desk.label(factory.bob(), campaign)
    page.route("**/submit/", lambda route: route.abort())
    desk.press("1", "Enter")
    expect(page.locator("#saved")).to_contain_text("1 unsaved")

    stored = page.evaluate(f"localStorage.getItem('concord-outbox:{factory.bob().pk}:{campaign.pk}')")

    (entry,) = json.loads(stored)
    assert json.loads(entry["fields"]["answer"]) == {"tiers": [[0], [1]]}
