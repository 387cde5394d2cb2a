"""Two hundred annotators in four processes at once, with leases that run out and a process that is killed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import Count

from annotation.models import Annotator, Campaign, Enrolment, Judgment
from tests.annotation.race_client import NUM_CLIENTS
from tests.factory import Factory
from tests.workers import ChildProcess, start_process, test_database_url, wait_until

NUM_PROCESSES, OVERLAP = 4, 3
NUM_COMPARISONS = 250
SECONDS = 180.0

pytestmark = [pytest.mark.workers, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def campaign(factory: Factory) -> Campaign:
    campaign = factory.campaign(num_comparisons=NUM_COMPARISONS, overlap=OVERLAP, lease_seconds=1, annotators=[])
    annotators = Annotator.objects.bulk_create(
        Annotator(workspace=campaign.workspace, kind="imported", name=f"client {number}")
        for number in range(NUM_PROCESSES * NUM_CLIENTS)
    )
    Enrolment.objects.bulk_create(Enrolment(campaign=campaign, annotator=annotator) for annotator in annotators)
    return campaign


@pytest.fixture
def clients(campaign: Campaign, tmp_path: Path) -> Iterator[list[ChildProcess]]:
    processes = [
        start_process(
            [sys.executable, *command(campaign.pk, number * NUM_CLIENTS, tmp_path / f"log{number}", number)],
            log_path=tmp_path / f"output{number}",
            environment={"DATABASE_URL": test_database_url(), "DJANGO_SETTINGS_MODULE": "config.settings"},
        )
        for number in range(NUM_PROCESSES)
    ]
    yield processes
    for process in processes:
        process.kill()


def command(*arguments: object) -> list[str]:
    return ["-m", "tests.annotation.race_client", *map(str, arguments)]


def notes(folder: Path) -> list[dict[str, Any]]:
    """What the clients were told; the last line of the killed one may be torn."""
    lines = [line for path in sorted(folder.glob("log*")) for line in path.read_text().splitlines(keepends=True)]
    return [json.loads(line) for line in lines if line.endswith("}\n")]


def num_deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_two_hundred_racing_annotators_lose_nothing_and_judge_nothing_twice(
    campaign: Campaign, clients: list[ChildProcess], tmp_path: Path
) -> None:
    deadlocks_before = num_deadlocks()
    judged = Judgment.objects.filter(comparison__campaign=campaign)
    wait_until(lambda: judged.count() > 150, seconds=SECONDS, why=lambda: clients[0].log)
    clients[-1].kill()  # in the middle of whatever its ten threads were doing
    for client in clients[:-1]:
        wait_until(lambda c=client: c.popen.poll() is not None, seconds=SECONDS, why=lambda c=client: c.log)  # type: ignore[misc]
        assert client.popen.returncode == 0, client.log

    per_comparison = Counter(judged.values_list("comparison_id", flat=True))
    assert max(per_comparison.values()) == OVERLAP
    assert sum(per_comparison.values()) == NUM_COMPARISONS * OVERLAP, "everything that was wanted was judged"
    twice = judged.values("comparison", "annotator").annotate(times=Count("pk")).filter(times__gt=1)
    assert list(twice) == []

    told = notes(tmp_path)
    stored = {note["key"]: note["judgment"] for note in told if note["what"] == "stored"}
    assert stored.items() <= dict(judged.values_list("idempotency_key", "pk")).items(), "an accepted answer is lost"
    assert [note for note in told if note["what"] == "lost"], "no lease ever ran out: the race was none"
    assert campaign.slots.filter(judged_at__isnull=False).count() == judged.count()
    assert num_deadlocks() == deadlocks_before
    assert not [client.log for client in clients if "Traceback" in client.log]
