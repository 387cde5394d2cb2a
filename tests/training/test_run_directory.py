from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.conf import LazySettings

from annotation.export import file_sha256
from core.jobs import JobFailed
from generation.splits import split_of
from tests.factory import Factory
from training import run_directory
from training.models import TrainingRun


@pytest.fixture(autouse=True)
def runs_dir(settings: LazySettings, tmp_path: Path) -> None:
    settings.RUNS_DIR = tmp_path / "runs"


def test_a_run_directory_holds_the_order_and_the_datas_hash(factory: Factory) -> None:
    run = factory.training_run(algorithm="dpo", status="queued", config={"beta": 0.2}, seed=7)
    sha256 = run_directory.prepare(run)
    spec = json.loads((run.folder / "spec.json").read_text())
    assert (spec["version"], spec["algorithm"], spec["seed"], spec["config"]) == (1, "dpo", 7, {"beta": 0.2})
    assert run.init_model is not None
    assert (spec["init_model"], spec["reward_model"]) == (run.init_model.location, None)
    assert spec["data_sha256"] == file_sha256(run.folder / "data.parquet")
    assert sha256 == file_sha256(run.folder / "spec.json")


def test_the_order_names_the_held_out_judge(factory: Factory) -> None:
    judge = factory.model(kind="reward")
    run = factory.training_run(algorithm="ppo", status="queued", held_out_reward_model=judge)

    run_directory.prepare(run)

    assert json.loads((run.folder / "spec.json").read_text())["held_out_reward_model"] == judge.location


def test_the_training_process_gets_only_the_columns_that_it_needs(factory: Factory) -> None:
    run = factory.training_run(algorithm="reward", status="queued")
    run_directory.prepare(run)
    table = pq.read_table(run.folder / "data.parquet")
    pairs = ["prompt", "chosen", "rejected", "weight", "split", "group_id", "p_chosen", "strength", "p_tied"]
    assert table.column_names == pairs
    assert run.dataset is not None
    assert table.num_rows == run.dataset.num_rows


def test_prompts_come_with_their_split(factory: Factory) -> None:
    prompt_set = factory.prompt_set(num_prompts=20, held_out_fraction=0.5)
    run = factory.training_run(algorithm="ppo", status="queued", prompt_set=prompt_set)
    run_directory.prepare(run)
    rows = pq.read_table(run.folder / "data.parquet").to_pylist()
    expected = {json.dumps(p.messages): split_of(p.fingerprint, 0.5) for p in prompt_set.prompts.all()}
    assert {json.dumps(json.loads(row["prompt"])): row["split"] for row in rows} == expected


def test_preparing_again_changes_nothing(factory: Factory) -> None:
    run = factory.training_run(status="queued")
    first = run_directory.prepare(run)
    run.seed, run.spec_sha256 = 99, first  # a resumed attempt: the order was written by the first one
    assert run_directory.prepare(run) == first
    assert sorted(path.name for path in run.folder.iterdir()) == ["data.parquet", "spec.json"]


def test_an_order_that_was_tampered_with_is_refused(factory: Factory) -> None:
    run = factory.training_run(status="queued")
    run.spec_sha256 = run_directory.prepare(run)
    (run.folder / "spec.json").write_text("{}")
    with pytest.raises(JobFailed, match="has changed since it was written") as raised:
        run_directory.prepare(run)
    assert raised.value.failure_kind == "configuration"


def dataset_path(run: TrainingRun) -> Path:
    assert run.dataset is not None
    return run.dataset.parquet_path


def test_a_dataset_that_is_not_what_was_frozen_is_refused(factory: Factory) -> None:
    run = factory.training_run(status="queued")
    with dataset_path(run).open("ab") as file:
        file.write(b"one byte more")
    with pytest.raises(JobFailed, match="Freeze it again") as raised:
        run_directory.prepare(run)
    assert raised.value.failure_kind == "data_error"
    assert not (run.folder / "spec.json").exists()


def test_a_dataset_that_has_gone_is_a_named_failure(factory: Factory) -> None:
    run = factory.training_run(status="queued")
    dataset_path(run).unlink()
    with pytest.raises(JobFailed, match="is missing") as raised:
        run_directory.prepare(run)
    assert raised.value.failure_kind == "data_error"


def test_data_left_half_written_by_a_killed_worker_are_written_again(factory: Factory) -> None:
    run = factory.training_run(status="queued")
    run.folder.mkdir(parents=True)
    (run.folder / "data.parquet").write_text("half")
    run_directory.prepare(run)
    assert pq.read_table(run.folder / "data.parquet").num_rows == 8
