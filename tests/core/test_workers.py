"""Real Celery workers on both brokers: each job once, and no job lost with its worker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from annotation import services
from annotation.models import Dataset, JudgingRun, Judgment
from tests.factory import Factory
from tests.workers import ChildProcess, wait_until

pytestmark = [pytest.mark.workers, pytest.mark.django_db(transaction=True)]

Start = Callable[..., ChildProcess]


def freeze(factory: Factory, number: int) -> Dataset:
    """A queued dataset over a judged campaign."""
    campaign = factory.judged_campaign(num_comparisons=2)
    return services.start_freeze(workspace=factory.workspace(), name=f"dataset {number}", campaigns=[campaign])


def ended(rows: QuerySet[Any]) -> bool:
    return not rows.filter(status__in=("queued", "running")).exists()


def test_two_workers_do_every_job_once(factory: Factory, start_worker: Start) -> None:
    workers = [start_worker() for _ in range(2)]
    pks = [freeze(factory, number).pk for number in range(8)]

    datasets = Dataset.objects.filter(pk__in=pks)
    wait_until(lambda: ended(datasets), why=lambda: "\n".join(worker.log for worker in workers))

    assert set(datasets.values_list("status", "attempt")) == {("finished", 1)}
    assert all(dataset.parquet_path.exists() for dataset in datasets)


@pytest.mark.parametrize("broker", ["postgresql"], indirect=True)
def test_a_job_whose_doorbell_rang_before_any_worker_lived_is_done(factory: Factory, start_worker: Start) -> None:
    dataset = freeze(factory, 0)
    worker = start_worker()

    wait_until(lambda: ended(Dataset.objects.filter(pk=dataset.pk)), why=lambda: worker.log)

    assert Dataset.objects.get(pk=dataset.pk).status == "finished"


@pytest.mark.parametrize("broker", ["postgresql"], indirect=True)
def test_a_judge_whose_worker_is_killed_in_mid_run_answers_everything_once(
    factory: Factory, start_worker: Start, start_beat: Start
) -> None:
    run = factory.sampling_run(factory.prompt_set(num_prompts=100), num_completions=4)
    campaign = factory.campaign(annotators=[])
    num_comparisons = services.add_comparisons(campaign=campaign, sampling_run=run)
    judging = services.start_judging_run(campaign=campaign, annotator=factory.judge())
    judgments = Judgment.objects.filter(comparison__campaign=campaign)
    doomed = start_worker()
    wait_until(lambda: judgments.count() >= 20, why=lambda: doomed.log)
    doomed.kill()
    num_before = judgments.count()

    worker, beat = start_worker(), start_beat()
    wait_until(lambda: ended(JudgingRun.objects.filter(pk=judging.pk)), why=lambda: worker.log + beat.log)

    judging.refresh_from_db()
    assert num_before < num_comparisons == 600
    assert (judging.status, judging.attempt) == ("finished", 2)
    assert judgments.count() == judgments.values("comparison").distinct().count() == num_comparisons


def test_beat_gives_the_job_of_a_dead_worker_to_a_living_one(
    factory: Factory, start_worker: Start, start_beat: Start
) -> None:
    """The row looks as a worker killed with -9 leaves it: running, and silent for a minute."""
    dataset = freeze(factory, 0)
    Dataset.objects.filter(pk=dataset.pk).update(
        status="running", attempt=1, claimed_by="gone:1", heartbeat_at=timezone.now() - timedelta(minutes=1)
    )
    worker, beat = start_worker(), start_beat()

    wait_until(lambda: ended(Dataset.objects.filter(pk=dataset.pk)), why=lambda: worker.log + beat.log)

    now = Dataset.objects.get(pk=dataset.pk)
    assert (now.status, now.attempt) == ("finished", 2)
    assert now.claimed_by != "gone:1"
