"""Estimates of runs from rows, files and earlier runs, and when they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core import jobs
from tests.factory import Factory
from tests.training.algorithms.builders import saved_model
from training import preflight, report_runner, services
from training.algorithms.config import DPOConfig, SFTConfig
from training.algorithms.estimate import DataShape, Estimate
from training.data_shapes import data_shape
from training.models import DataReport, TrainingRun
from training.run_directory import num_threads
from training.services import TrainingRefused


def start(factory: Factory, **fields: Any) -> TrainingRun:
    given = {"algorithm": "dpo", "config": {}, "dataset": factory.dataset(), **fields}
    return services.start_training_run(workspace=factory.workspace(), name="Run", **given)


def shape(factory: Factory, algorithm: str = "dpo", **fields: Any) -> DataShape:
    config = services.checked_config(algorithm, fields.pop("config", {}))
    return data_shape(algorithm, config, **{"dataset": None, "prompt_set": None, "report": None, **fields})


def test_a_run_keeps_its_estimate(factory: Factory, tmp_path: Path) -> None:
    run = start(
        factory,
        init_model=factory.model(location=saved_model(tmp_path)),
        config={"max_prompt_tokens": 20, "max_completion_tokens": 20},
    )

    assert run.estimate["num_steps"] == 1
    assert run.estimate["num_parameters"] > 10_000
    assert run.estimate["memory_bytes"] > run.estimate["least_memory"] > 300 * 2**20
    assert run.estimate["seconds"] > 0


def test_a_model_whose_files_are_elsewhere_is_not_guessed(factory: Factory) -> None:
    run = start(factory, init_model=factory.model())

    assert run.estimate["num_tokens"] > 0
    assert run.estimate["memory"] is run.estimate["seconds"] is None


@pytest.mark.parametrize("kind", ["preferences", "rankings", "labels", "demonstrations"])
def test_lengths_are_guessed_from_characters(factory: Factory, kind: str) -> None:
    found = shape(factory, dataset=factory.dataset(kind=kind))

    assert not found.is_counted
    assert found.num_train + found.num_held_out == 8
    assert 10 < found.row_tokens < 60  # some fifty characters of JSON and a digit or three
    assert 0 < found.completion_tokens < 10
    assert found.num_bytes > 100


def test_limits_cut_the_guess(factory: Factory) -> None:
    found = shape(factory, dataset=factory.dataset(), config={"max_prompt_tokens": 5, "max_completion_tokens": 1})

    assert (found.row_tokens, found.longest_row) == (7, 7)


def test_a_file_that_is_gone_leaves_the_limits(factory: Factory) -> None:
    dataset = factory.dataset()
    dataset.parquet_path.unlink()

    assert shape(factory, dataset=dataset, config={"max_prompt_tokens": 5, "max_completion_tokens": 4}).row_tokens == 9


def test_a_finished_report_counts(factory: Factory, tmp_path: Path) -> None:
    dataset, model = factory.dataset(), factory.model(location=saved_model(tmp_path))
    report = services.report_on_data(algorithm="dpo", config={}, dataset=dataset, init_model=model)
    jobs.perform(DataReport, report.pk, report_runner.write_report)
    report.refresh_from_db()

    found = shape(factory, dataset=dataset, report=report)

    assert found.is_counted
    assert (found.num_train, found.num_held_out) == (6, 2)
    assert found.row_tokens == report.report["tokens"]["tree"]["mean"]
    assert found.completion_tokens == pytest.approx(found.row_tokens - report.report["tokens"]["prompt"]["mean"])


def test_replies_of_ppo_are_taken_to_be_as_long_as_they_may_become(factory: Factory) -> None:
    found = shape(factory, "ppo", prompt_set=factory.prompt_set(num_prompts=10), config={"max_completion_tokens": 40})

    assert found.completion_tokens == 40
    assert found.row_tokens > 40


def test_the_speed_is_that_of_earlier_runs_here(factory: Factory) -> None:
    assert preflight.expected_speed("float32") == preflight.CPU_SPEED * num_threads()

    for flops in (1.2e9, 3.6e9, 2.4e9):  # in two minutes each, all of their steps done
        estimate = {"flops": flops, "num_steps": 10}
        factory.training_run(estimate=estimate, config={"dtype": "float32"})

    assert preflight.expected_speed("float32") == 2.4e9 / 120
    assert preflight.expected_speed("bfloat16") == preflight.CPU_SPEED * num_threads()


def test_a_model_larger_than_the_machine_is_refused_with_what_to_do(
    factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "machine_memory", lambda: 2**20)
    model = factory.model(location=saved_model(tmp_path))

    with pytest.raises(TrainingRefused, match=r"this machine has 0\.0 GiB\. Start from a smaller model"):
        start(factory, init_model=model, config={"max_prompt_tokens": 20, "max_completion_tokens": 20})
    assert not TrainingRun.objects.exists()
    assert not DataReport.objects.exists()


def test_a_disk_that_cannot_hold_the_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "free_disk", lambda: 10)
    estimate = Estimate(num_steps=1, num_tokens=1, disk={"final checkpoint": 11.0})

    assert "The final checkpoint alone takes" in str(preflight.why_not(estimate))


def test_a_model_with_too_few_positions_is_refused(factory: Factory, tmp_path: Path) -> None:
    with pytest.raises(TrainingRefused, match="is 512, but the model has 64 positions"):
        start(factory, init_model=factory.model(location=saved_model(tmp_path)))


def test_a_fresh_model_is_measured_by_its_settings(factory: Factory) -> None:
    data = factory.dataset(kind="demonstrations")
    run = start(factory, algorithm="sft", dataset=data)

    assert run.estimate["num_parameters"] == 2 * 1024 * 192 + 4 * (4 * 192**2 + 3 * 192 * 512 + 2 * 192) + 192
    assert preflight.too_long(SFTConfig(max_prompt_tokens=600), None) is not None
    assert preflight.too_long(DPOConfig(), None) is None


def test_what_may_be_too_large_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "machine_memory", lambda: 100)
    monkeypatch.setattr(preflight, "free_disk", lambda: 100)
    estimate = Estimate(
        num_steps=1,
        num_tokens=1,
        memory={"weights": 95.0},
        least_memory=9,
        disk={"final checkpoint": 99.0, "data": 2.0},
    )

    assert preflight.why_not(estimate) is None
    assert ["micro_batch_tokens" in text for text in preflight.warnings_of(estimate)] == [True, False]


def test_a_container_with_less_memory_than_its_machine_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(preflight, "CGROUP_LIMIT", limit)
    everything = preflight.machine_memory()
    limit.write_text("1000\n")

    assert preflight.machine_memory() == 1000
    limit.write_text("max\n")
    assert preflight.machine_memory() == everything
