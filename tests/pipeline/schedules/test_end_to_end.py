"""One night for real: frozen, trained, sampled and compared with a model of a few thousand weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django_celery_beat.models import PeriodicTask

from config.celery import app
from pipeline import tasks
from pipeline.models import ScheduleFiring
from tests.factory import Factory
from tests.pipeline.schedules import walk
from tests.pipeline.tiny import SHORT


@pytest.mark.django_db
def test_a_night_ends_with_a_decision_on_real_figures(
    factory: Factory, finish_jobs: Callable[[], int], tiny_model_folder: Path
) -> None:
    schedule = factory.schedule(
        campaigns=[factory.judged_campaign(num_comparisons=8)],
        current_model=factory.model("tiny", location=tiny_model_folder),
        prompt_set=factory.prompt_set(num_prompts=6, held_out_fraction=0.9),
        config={**SHORT, "max_prompt_tokens": 64, "max_completion_tokens": 16},
        max_new_tokens=4,
    )
    rung = PeriodicTask.objects.get(name=f"training-schedule-{schedule.pk}-time")
    app.tasks[rung.task](*[schedule.pk])

    while ScheduleFiring.objects.filter(status="running").exists():
        assert finish_jobs() >= 1  # the report on the data is a job of its own beside the training run
        tasks.advance_firings()

    firing = schedule.firings.get()
    assert firing.error == ""
    assert firing.status in {"kept", "promoted"}  # two steps of training teach nothing, and chance is not asserted
    assert firing.dataset is not None
    assert firing.candidate is not None
    assert firing.win_rate is not None
    assert firing.dataset.counts["judgments"] == pq.read_table(firing.dataset.parquet_path).num_rows * 2
    assert firing.candidate.checkpoint.run == firing.training_run
    assert firing.evaluation_run is not None
    result = firing.evaluation_run.results.get(metric="win_rate")
    assert (firing.win_rate, firing.low, firing.high) == (result.value, result.low, result.high)
    assert walk.fire(schedule).reason.startswith("0 judgments are new")
