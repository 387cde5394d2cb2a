"""An evaluation by a real Celery worker that is killed between its judge's replies."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from annotation.judge_calls import BATCH
from annotation.models import JudgeCall
from tests.annotation.judge_server import JudgeServer
from tests.evaluation.contests import start_contest
from tests.factory import Factory
from tests.generation.engines.chat_server import chat_server
from tests.workers import ChildProcess, wait_until

pytestmark = [
    pytest.mark.workers,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("broker", ["postgresql"], indirect=True),
]

NUM_PAIRS = 60
SECONDS = 120.0


@pytest.fixture
def judge_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[JudgeServer]:
    """It answers 80 of 120 requests, then none until it is told to go on."""
    monkeypatch.setenv("ALLOWED_PRIVATE_HOSTS", "127.0.0.1")  # the workers inherit it
    server = JudgeServer(num_answers=80)
    yield server
    server.goes_on.set()


def test_a_killed_evaluation_goes_on_and_asks_nothing_again_that_was_understood(
    factory: Factory,
    judge_server: JudgeServer,
    start_worker: Callable[..., ChildProcess],
    start_beat: Callable[..., ChildProcess],
) -> None:
    with chat_server(judge_server.answer) as server:
        judge = factory.llm_judge(url=server.url)
        run = start_contest(factory, [(f"one {number}", "two +") for number in range(NUM_PAIRS)], judge=judge)
        calls = JudgeCall.objects.filter(evaluation__pair__run=run)
        first = start_worker()
        wait_until(lambda: calls.count() >= 2 * BATCH, seconds=SECONDS, why=lambda: first.log)
        first.kill()
        kept = {call["messages"][-1]["content"] for call in calls.values_list("call", flat=True)}
        judge_server.goes_on.set()
        second, beat = start_worker(), start_beat()

        def has_ended() -> bool:
            run.refresh_from_db()
            return run.has_ended

        wait_until(has_ended, seconds=SECONDS, why=lambda: second.log + beat.log)
    assert (run.status, run.attempt, run.error) == ("finished", 2, "")
    assert run.results.get(metric="win_rate").value == 1.0
    assert calls.count() == 2 * NUM_PAIRS
    assert {judge_server.asked[content] for content in kept} == {1}
