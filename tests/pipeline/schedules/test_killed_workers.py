"""Workers that are killed in the middle of any step, and workers that meet: real processes on PostgreSQL."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from annotation.models import Dataset
from evaluation.models import EvaluationRun
from generation.models import LanguageModel
from pipeline.models import ScheduleFiring
from pipeline.schedules import firings
from tests.factory import Factory
from tests.pipeline.schedules import walk
from tests.workers import start_process, test_database_url
from training.models import TrainingRun

pytestmark = [pytest.mark.workers, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def killed(tmp_path: Path) -> Callable[[str, int], None]:
    """`killed("advance", id)` does it in a process that is killed by SIGKILL before it can commit."""

    def run(what: str, pk: int) -> None:
        process = start_process(
            [sys.executable, "-m", "tests.pipeline.schedules.killed_client", what, str(pk)],
            log_path=tmp_path / "output",
            environment={
                "DATABASE_URL": test_database_url(),
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "CONCORD_VAR_DIR": str(settings.VAR_DIR),
            },
        )
        assert process.popen.wait(60) == -signal.SIGKILL, process.log

    return run


def counts() -> tuple[int, ...]:
    models = (ScheduleFiring, Dataset, TrainingRun, EvaluationRun)
    return tuple(model._default_manager.count() for model in models)


def test_a_kill_at_any_step_loses_nothing_and_doubles_nothing(
    factory: Factory, killed: Callable[[str, int], None]
) -> None:
    schedule = walk.judged_schedule(factory)
    killed("fire", schedule.pk)
    assert counts() == (0, 0, 0, 0)
    firing = walk.fire(schedule)
    for step, expected in (
        (walk.freeze, (1, 1, 1, 0)),
        (walk.train, (1, 1, 1, 0)),
        (walk.sample, (1, 1, 1, 1)),
        (walk.evaluate, (1, 1, 1, 1)),
    ):
        step(firing)
        before = (counts(), LanguageModel.objects.count(), firing.status)
        killed("advance", firing.pk)
        firing.refresh_from_db()
        assert (counts(), LanguageModel.objects.count(), firing.status) == before
        firing = walk.go_on(firing)
        assert counts() == expected
    assert firing.status == "promoted"
    schedule.refresh_from_db()
    assert schedule.current_model == firing.candidate


def test_of_eight_that_ring_at_once_one_fires(factory: Factory) -> None:
    schedule = walk.judged_schedule(factory)

    def ring() -> None:
        try:
            firings.fire(schedule_id=schedule.pk, asked="time")
        finally:
            connection.close()

    threads = [threading.Thread(target=ring) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = list(schedule.firings.order_by("number").values_list("number", "status"))
    assert statuses == [(1, "running"), *((number, "skipped") for number in range(2, 9))]
    assert Dataset.objects.count() == 1


def test_of_four_that_advance_at_once_one_does(factory: Factory) -> None:
    firing = walk.fire(walk.judged_schedule(factory))
    walk.freeze(firing)

    def advance() -> None:
        try:
            firings.advance(pk=firing.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=advance) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert TrainingRun.objects.count() == 1
