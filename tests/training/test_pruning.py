"""Old runs give their disk back, and never a model."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.utils import timezone

from generation.models import LanguageModel
from tests.factory import Factory
from training import pruning
from training.models import TrainingRun

MakeRun = Callable[..., TrainingRun]


@pytest.fixture
def ended_run(factory: Factory, settings: LazySettings, tmp_path: Path) -> MakeRun:
    """`ended_run(status)` is a run of yesterday with three checkpoints of 1,000 bytes and a cache of 500."""
    settings.RUNS_DIR = tmp_path / "runs"

    def make(status: str = "finished") -> TrainingRun:
        run = factory.training_run(algorithm="dpo", status=status)
        run.checkpoints.all().delete()
        for step in (1, 2, 3):
            folder = factory.checkpoint(run, step=step, is_final=step == 3).folder
            folder.mkdir(parents=True)
            (folder / "model.safetensors").write_bytes(b"w" * 1000)
        (run.folder / "cache").mkdir()
        (run.folder / "cache" / "reference").write_bytes(b"r" * 500)
        TrainingRun.objects.filter(pk=run.pk).update(finished_at=timezone.now() - timedelta(days=1))
        return run

    return make


def left(run: TrainingRun) -> list[int]:
    rows = list(run.checkpoints.order_by("step").values_list("step", flat=True))
    assert [path.name for path in sorted((run.folder / "checkpoints").iterdir())] == [f"step-{n:06d}" for n in rows]
    return rows


def test_all_but_the_last_checkpoint_and_the_cache_are_removed(ended_run: MakeRun) -> None:
    run = ended_run()
    pruned = pruning.prune_run(run)
    assert (pruned.num_checkpoints, pruned.num_bytes) == (2, 2500)
    assert left(run) == [3]
    assert not (run.folder / "cache").exists()


def test_the_last_one_goes_on_wish(ended_run: MakeRun) -> None:
    run = ended_run("failed")
    assert pruning.prune_run(run, with_last=True).num_checkpoints == 3
    assert left(run) == []


def test_what_became_a_model_stays_by_whatever_way_it_did(factory: Factory, ended_run: MakeRun) -> None:
    run = ended_run()
    published = run.checkpoints.get(step=1)
    published.language_model = factory.model("Published", workspace=run.workspace)
    published.save()
    LanguageModel.objects.create(
        workspace=run.workspace, name="By hand", source="folder", location=str(run.checkpoints.get(step=2).folder)
    )
    pruning.prune_run(run, with_last=True)
    assert left(run) == [1, 2]


def test_a_dry_run_removes_nothing_and_counts_the_same(ended_run: MakeRun) -> None:
    run = ended_run()
    assert pruning.prune_run(run, is_dry=True).num_bytes == 2500
    assert left(run) == [1, 2, 3]
    assert (run.folder / "cache" / "reference").exists()


def test_a_run_in_whose_folder_somebody_works_is_left_alone(ended_run: MakeRun) -> None:
    run = ended_run()
    with (run.folder / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert pruning.prune_run(run).num_bytes == 0
    assert left(run) == [1, 2, 3]


def test_a_run_that_was_resumed_meanwhile_is_left_alone(ended_run: MakeRun) -> None:
    run = ended_run("failed")
    TrainingRun.objects.filter(pk=run.pk).update(status="queued")
    assert pruning.prune_run(run).num_bytes == 0
    assert left(run) == [1, 2, 3]


@pytest.mark.parametrize("status", ["queued", "running", "paused"])
def test_only_runs_that_have_ended_are_old(ended_run: MakeRun, status: str) -> None:
    old, going_on = ended_run(), ended_run(status)
    assert list(pruning.old_runs(ended_before=timezone.now())) == [old]
    assert left(going_on) == [1, 2, 3]
    assert not pruning.old_runs(ended_before=timezone.now() - timedelta(days=2)).exists()


def test_the_command_says_what_it_freed(ended_run: MakeRun) -> None:
    run, shown = ended_run(), StringIO()
    call_command("prune_training_runs", "--days=0", "--dry-run", stdout=shown)
    assert "0.0 MB would be freed." in shown.getvalue()
    call_command("prune_training_runs", "--days=0", stdout=shown)
    assert f"{run.pk} {run.name}: 2 checkpoints, 0.0 MB" in shown.getvalue()
    assert left(run) == [3]


def test_a_negative_age_is_refused() -> None:
    with pytest.raises(CommandError, match="--days must be 0 or more"):
        call_command("prune_training_runs", "--days=-1")
