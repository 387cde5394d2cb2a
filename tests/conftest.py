"""Fixtures for every test: the factory, the doorbells, API clients, real workers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from celery import current_app
from rest_framework.test import APIClient

from tests import workers
from tests.factory import Factory
from tests.fake_vllm import fake_vllm as fake_vllm
from tests.quiet import patient_flushes, wait_until_served
from tests.vllm_server import tiny_model_folder as tiny_model_folder
from tests.vllm_server import vllm_server as vllm_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


CHROMIUM_SWITCHES = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In parallel runs a module's tests stay together, and so do all that speak to vLLM's server: it starts once."""
    for item in items:
        uses_vllm = "vllm_server" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("vllm" if uses_vllm else item.nodeid.partition("::")[0]))


@dataclass(frozen=True)
class Doorbell:
    """A message that would have gone to the broker."""

    task: str  # "training.tasks.run_training"
    args: list[Any]
    queue: str


@pytest.fixture(scope="session", autouse=True)
def stragglers() -> Iterator[None]:
    """Requests of a page that a test has left do not spoil the next test."""
    with patient_flushes():
        yield


@pytest.fixture(autouse=True)
def doorbells(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[Doorbell]:
    """What Concord sent to Celery. No broker is needed, except in tests marked `workers`."""
    sent: list[Doorbell] = []
    if "workers" in request.keywords:
        return sent

    def send_task(name: str, args: list[Any] | None = None, *, queue: str = "light", **_: Any) -> None:
        sent.append(Doorbell(name, list(args or []), queue))

    monkeypatch.setattr(current_app._get_current_object(), "send_task", send_task)
    return sent


@pytest.fixture
def factory(db: None) -> Factory:
    """Makes rows: Alice manages the workspace, Bob labels in it, Charlie is a stranger."""
    return Factory()


@pytest.fixture
def api() -> Callable[..., APIClient]:
    """`api(user)` is a REST client signed in as that user; `api()` is nobody."""

    def client_of(user: Any = None) -> APIClient:
        client = APIClient()
        if user is not None:
            client.force_authenticate(user)
        return client

    return client_of


@pytest.fixture
def finish_jobs(db: None) -> Callable[[], int]:
    """`finish_jobs()` does the work of every queued job in this process and returns how many there were."""
    from core.jobs import job_models

    current_app.loader.import_default_modules()

    def run_queued() -> int:
        count = 0
        while queued := [job for model in job_models() for job in model._default_manager.filter(status="queued")]:
            for job in queued:
                current_app.tasks[job.task_name](job.pk)
                count += 1
        return count

    return run_queued


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The one Chromium of the session, found at CHROMIUM or on PATH."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("There is no Chromium on PATH: apt-get install chromium, or name one in CHROMIUM.")
    # Playwright runs an event loop in this thread, in which Django would refuse to use the database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_SWITCHES)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of 1366 × 768 in a context of its own. What it complained about on its console fails the test."""
    context = chromium.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    wait_until_served()
    assert complaints == []


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis that was started for this session."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not on PATH (Debian: apt-get install redis-server)")
    with workers.redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(params=["postgresql", pytest.param("redis", marks=pytest.mark.redis)])
def broker(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    """The URL of an empty broker that this process's Celery rings; once on PostgreSQL and once on Redis.

    `@pytest.mark.parametrize("broker", ["postgresql"], indirect=True)` takes one of them.
    """
    from config.environment import broker_on_database

    if request.param == "redis":
        url = request.getfixturevalue("redis_url")
    else:
        url = broker_on_database(workers.test_database_url())
    with workers.celery_on(url):
        yield url


@pytest.fixture
def start_worker(broker: str, tmp_path: Path) -> Iterator[Callable[..., workers.ChildProcess]]:
    """`start_worker(queues=…, pool=…, concurrency=…)` starts a real Celery worker; all are stopped at the end."""
    started: list[workers.ChildProcess] = []

    def start(**options: Any) -> workers.ChildProcess:
        log_path = tmp_path / f"worker{len(started)}.log"
        started.append(workers.start_worker(broker_url=broker, log_path=log_path, **options))
        return started[-1]

    yield start
    workers.stop_all(started)


@pytest.fixture
def start_beat(broker: str, tmp_path: Path) -> Iterator[Callable[[], workers.ChildProcess]]:
    """`start_beat()` starts Celery's beat: the reaper and whatever else is on the schedule."""
    started: list[workers.ChildProcess] = []

    def start() -> workers.ChildProcess:
        started.append(workers.start_beat(broker_url=broker, log_path=tmp_path / f"beat{len(started)}.log"))
        return started[-1]

    yield start
    workers.stop_all(started)
