"""Starting and cancelling sweeps."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.errors import ConcordError, IllegalTransition
from pipeline.models import TrainingSweep
from pipeline.sweeps import services
from tests.conftest import Doorbell
from tests.factory import Factory
from training.models import TrainingRun

GRID = {"beta": [0.1, 0.2], "learning_rate": [1e-5, 1e-4]}


def start(factory: Factory, **changes: Any) -> TrainingSweep:
    settings: dict[str, Any] = {
        "workspace": factory.workspace(),
        "name": "betas",
        "algorithm": "dpo",
        "grid": GRID,
        "config": {"batch_size": 8},
        "dataset": factory.dataset(),
        "init_model": factory.model(),
        "user": factory.dana(),
    }
    return services.start_sweep(**{**settings, **changes})


def test_each_point_is_an_ordinary_run_that_waits_in_the_queue(
    factory: Factory, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        sweep = start(factory, seed=5, num_seeds=2)
    runs = [swept.run for swept in sweep.swept_runs.select_related("run").order_by("number")]
    assert [run.name for run in runs] == [f"betas {number}" for number in range(1, 9)]
    assert [(run.config["beta"], run.config["learning_rate"], run.seed) for run in runs[:3]] == [
        (0.1, 1e-5, 5),
        (0.1, 1e-5, 6),
        (0.1, 1e-4, 5),
    ]
    assert {(run.status, run.algorithm, run.config["batch_size"], run.created_by) for run in runs} == {
        ("queued", "dpo", 8, factory.dana())
    }
    assert sweep.swept_runs.order_by("number")[7].values == {"beta": 0.2, "learning_rate": 1e-4}
    assert not sweep.has_ended


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"algorithm": "dqo"}, "sweep-refused", "algorithm must be one of"),
        ({"name": " "}, "sweep-refused", "needs a name"),
        ({"name": "x" * 101}, "sweep-refused", "needs a name of 1–100"),
        ({"seed": -1}, "sweep-refused", "seed must lie in 0–"),
        ({"grid": {"bta": [1, 2]}}, "sweep-refused", "did you mean beta"),
        ({"grid": {"beta": [0.1, -1]}}, "training-refused", "At beta -1: beta must be positive"),
        ({"grid": {"batch_size": [8, 8.5]}, "config": {}}, "training-refused", "At batch_size 8.5: batch_size must be"),
        ({"config": {"lss": "ipo"}}, "training-refused", "did you mean loss"),
        ({"dataset": None}, "training-refused", "trains on a frozen dataset"),
        ({"init_model": None}, "training-refused", "starts from a model"),
    ],
)
def test_what_cannot_be_trained_leaves_no_run(factory: Factory, changes: dict[str, Any], kind: str, words: str) -> None:
    with pytest.raises(ConcordError, match=words) as refused:
        start(factory, **changes)
    assert refused.value.kind == kind
    assert not TrainingSweep.objects.exists()
    assert not TrainingRun.objects.exists()


def test_parts_of_another_workspace_are_refused(factory: Factory) -> None:
    with pytest.raises(ConcordError, match="must belong to the sweep's workspace"):
        start(factory, init_model=factory.model(workspace=factory.workspace("Elsewhere")))


def test_cancelling_stops_all_that_has_not_ended(factory: Factory) -> None:
    sweep = start(factory)
    first, second, third, fourth = [swept.run for swept in sweep.swept_runs.order_by("number")]
    TrainingRun.objects.filter(pk=first.pk).update(status="finished")
    TrainingRun.objects.filter(pk=second.pk).update(status="running")

    assert services.cancel_sweep(sweep=sweep) == 3

    for run in (first, second, third, fourth):
        run.refresh_from_db()
    assert [run.status for run in (first, second, third, fourth)] == ["finished", "running", "cancelled", "cancelled"]
    assert second.is_cancel_requested
    assert services.cancel_sweep(sweep=sweep) == 0
    TrainingRun.objects.filter(pk=second.pk).update(status="cancelled")
    with pytest.raises(IllegalTransition, match="All runs of betas have ended"):
        services.cancel_sweep(sweep=sweep)


def test_the_command_queues_a_sweep(factory: Factory, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = factory.workspace()
    options = ["--workspace", workspace.name, "--algorithm", "dpo", "--set", "beta=0.1,0.2"]
    rows = ["--dataset", str(factory.dataset().pk), "--init-model", str(factory.model().pk)]

    call_command("sweep", "nightly", *options, *rows, "--config", '{"batch_size": 8}', "--num-seeds", "2")

    assert "has queued 4 training runs" in capsys.readouterr().out
    assert TrainingSweep.objects.get().config == {"batch_size": 8}
    with pytest.raises(CommandError, match="There is no dataset with pk 0"):
        call_command("sweep", "nightly", *options, "--dataset", "0")
    with pytest.raises(
        CommandError, match=r"This training run cannot start: At beta 0.1: dpo trains on a frozen dataset"
    ):
        call_command("sweep", "nightly", *options)
