"""Sampling by real Celery workers that ring, die and are replaced."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core import jobs
from generation.models import SamplingRun
from generation.runner import CHUNK_PROMPTS
from generation.sampling_plan import prompt_seed
from tests.factory import Factory
from tests.generation.engines import chat_server
from tests.generation.engines.chat_server import Reply
from tests.workers import ChildProcess, wait_until

pytestmark = [
    pytest.mark.workers,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("broker", ["postgresql"], indirect=True),
]

Start = Callable[..., ChildProcess]
NUM_PROMPTS = 80
BRIEF = "Be brief."
SECONDS = 120.0


class HesitantServer:
    """A model server that answers so many requests, then none until it is told to go on."""

    def __init__(self, num_answers: int) -> None:
        self.url = ""
        self.asked: Counter[tuple[bool, str]] = Counter()  # (in the second arm, prompt)
        self.goes_on = threading.Event()
        self._num_answers = num_answers
        self._lock = threading.Lock()

    def answer(self, path: str, body: dict[str, Any]) -> Reply:
        with self._lock:
            self.asked[body["messages"][0]["content"] == BRIEF, body["messages"][-1]["content"]] += 1
            self._num_answers -= 1
            is_hesitating = self._num_answers < 0
        if is_hesitating:
            self.goes_on.wait(SECONDS)
        return chat_server.echo(path, body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HesitantServer]:
    monkeypatch.setenv("ALLOWED_PRIVATE_HOSTS", "127.0.0.1")  # the workers inherit it
    hesitant = HesitantServer(NUM_PROMPTS + CHUNK_PROMPTS + 10)
    with chat_server.chat_server(hesitant.answer) as running:
        hesitant.url = running.url
        yield hesitant
        hesitant.goes_on.set()


def queued_run(factory: Factory, server: HesitantServer) -> SamplingRun:
    """A run of two arms, two completions a prompt each, from this server; its doorbell is rung three times."""
    model = factory.model(source="served", endpoint_url=server.url)
    run = factory.sampling_run(factory.prompt_set(num_prompts=NUM_PROMPTS), models=[model], status="queued")
    run.arms.create(position=1, model=model, name="Brief", system_prompt=BRIEF, num_completions=2)
    for _ in range(3):
        jobs.ring(run)
    return run


def wait_for_end(run: SamplingRun, *workers: ChildProcess) -> None:
    def has_ended() -> bool:
        run.refresh_from_db()
        return run.has_ended

    wait_until(has_ended, seconds=SECONDS, why=lambda: "\n".join(worker.log for worker in workers))


def keys(run: SamplingRun) -> Counter[tuple[int, int, int]]:
    return Counter(run.completions.values_list("arm__position", "prompt", "index"))


def test_a_doorbell_rung_three_times_is_answered_once(
    factory: Factory, server: HesitantServer, start_worker: Start
) -> None:
    server.goes_on.set()
    run = queued_run(factory, server)
    workers = [start_worker(queues="gpu") for _ in range(2)]
    wait_for_end(run, *workers)
    assert (run.status, run.attempt) == ("finished", 1)
    assert set(server.asked.values()) == {1}
    assert len(keys(run)) == keys(run).total() == 4 * NUM_PROMPTS


def test_a_worker_killed_in_its_second_arm_loses_at_most_a_chunk_and_repeats_nothing(
    factory: Factory, server: HesitantServer, start_worker: Start, start_beat: Start
) -> None:
    run = queued_run(factory, server)
    first = start_worker(queues="gpu")

    def stored() -> set[tuple[bool, str]]:
        rows = run.completions.select_related("prompt", "arm")
        return {(row.arm.position == 1, row.prompt.last_turn) for row in rows if row.arm}

    wait_until(lambda: len(stored()) >= NUM_PROMPTS + CHUNK_PROMPTS, seconds=SECONDS, why=lambda: first.log)
    first.kill()
    kept = stored()
    server.goes_on.set()
    wait_for_end(run, start_worker(), start_beat())
    assert (run.status, run.attempt) == ("finished", 2)
    assert len(keys(run)) == keys(run).total() == 4 * NUM_PROMPTS
    assert {server.asked[one] for one in kept} == {1}
    seeds = run.completions.values_list("seed", flat=True)
    assert set(seeds) == {
        prompt_seed(run.seed, prompt.fingerprint, position) + index
        for prompt in run.prompt_set.prompts.all()
        for position in (0, 1)
        for index in (0, 1)
    }
