"""Reports on data: asked for once, written by a worker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from core import jobs
from core.jobs import JobFailed
from tests.conftest import Doorbell
from tests.factory import Factory
from tests.training.algorithms.builders import saved_model
from training import report_runner, services
from training.models import DataReport
from training.services import TrainingRefused


def ask(factory: Factory, **fields: Any) -> DataReport:
    return services.report_on_data(**{"algorithm": "dpo", "config": {}, **fields})


def write(report: DataReport) -> DataReport:
    with suppress(JobFailed):
        jobs.perform(DataReport, report.pk, report_runner.write_report)
    report.refresh_from_db()
    return report


def test_a_report_is_asked_for_once_and_written_by_a_light_worker(
    factory: Factory, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    dataset = factory.dataset()
    with django_capture_on_commit_callbacks(execute=True):
        first, second = ask(factory, dataset=dataset), ask(factory, dataset=dataset)

    assert first == second
    assert doorbells == [Doorbell("training.tasks.run_data_report", [first.pk], "light")]


def test_other_limits_models_or_algorithms_are_other_reports(factory: Factory) -> None:
    dataset = factory.dataset()
    reports = {
        ask(factory, dataset=dataset),
        ask(factory, dataset=dataset, config={"max_prompt_tokens": 9}),
        ask(factory, dataset=dataset, init_model=factory.model()),
        ask(factory, dataset=dataset, algorithm="reward"),
    }

    assert len(reports) == 4


def test_a_model_without_weights_counts_nothing(factory: Factory) -> None:
    served = factory.model(source="served", endpoint_url="https://models.example.org/v1")

    assert ask(factory, dataset=factory.dataset(), init_model=served).model is None


def test_a_prompt_set_that_has_grown_is_reported_anew(factory: Factory) -> None:
    prompts = factory.prompt_set(num_prompts=2)
    before = ask(factory, algorithm="ppo", prompt_set=prompts)
    factory.prompts(prompts, 1)

    assert ask(factory, algorithm="ppo", prompt_set=prompts) != before


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("sft", "demonstrations"),
        ("reward", "rankings"),
        ("dpo", "preferences"),
        ("kto", "labels"),
        ("kto", "preferences"),
    ],
)
def test_every_kind_of_dataset_is_read(factory: Factory, algorithm: str, kind: str) -> None:
    report = write(ask(factory, algorithm=algorithm, dataset=factory.dataset(kind=kind)))

    assert report.status == "finished"
    assert report.report["num_rows"] == sum(split["rows"] for split in report.report["splits"].values()) > 0
    assert (report.report["labels"] is not None) == (algorithm == "kto")
    assert report.report["tokens"] is None


def test_prompts_are_read_by_their_split(factory: Factory) -> None:
    report = write(ask(factory, algorithm="ppo", prompt_set=factory.prompt_set(num_prompts=9)))

    assert report.report["num_rows"] == 9


def test_a_model_at_hand_counts_tokens_and_has_its_template_checked(factory: Factory, tmp_path: Path) -> None:
    model = factory.model(location=saved_model(tmp_path))
    report = write(ask(factory, dataset=factory.dataset(), init_model=model, config={"max_prompt_tokens": 3}))

    assert report.report["tokens"]["rows"] == 8
    assert {check["name"] for check in report.report["checks"]} >= {"bos", "stop", "boundary"}
    assert "overlong_prompts" in {one["name"] for one in report.report["findings"]}


def test_a_model_that_cannot_be_read_is_said_and_characters_are_counted(factory: Factory) -> None:
    report = write(ask(factory, dataset=factory.dataset(), init_model=factory.model(location="/nowhere")))

    assert report.status == "finished"
    assert "/nowhere, is not on this machine" in report.report["tokenizer_problem"]
    assert report.report["lengths"]["prompt"]["max"] > 0


def test_a_folder_without_a_tokenizer_is_said_too(factory: Factory, tmp_path: Path) -> None:
    report = write(ask(factory, dataset=factory.dataset(), init_model=factory.model(location=tmp_path)))

    assert report.status == "finished"
    assert "No tokenizer can be loaded" in report.report["tokenizer_problem"]


def test_the_worker_itself_stays_without_torch() -> None:
    code = "import sys, django; django.setup(); import training.report_runner; print('torch' in sys.modules)"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd=settings.BASE_DIR
    )

    assert done.stdout.strip() == "False"


def test_a_missing_file_is_a_named_failure_and_may_be_asked_for_again(factory: Factory) -> None:
    dataset = factory.dataset()
    moved = dataset.parquet_path.rename(dataset.parquet_path.with_suffix(".away"))
    report = write(ask(factory, dataset=dataset))

    assert (report.status, report.failure_kind) == ("failed", "data_error")

    moved.rename(dataset.parquet_path)
    assert write(ask(factory, dataset=dataset)).status == "finished"


def test_a_large_dataset_is_sampled(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_runner, "MAX_ROWS", 3)

    report = write(ask(factory, dataset=factory.dataset()))

    assert (report.report["num_rows"], report.report["num_looked_at"]) == (8, 3)


def test_what_cannot_be_trained_on_is_not_reported_on(factory: Factory) -> None:
    with pytest.raises(TrainingRefused, match="needs a dataset of preferences"):
        ask(factory, dataset=factory.dataset(kind="labels"))
    with pytest.raises(TrainingRefused, match="give dataset"):
        ask(factory)
    with pytest.raises(TrainingRefused, match="max_prompt_tokens must be positive"):
        ask(factory, dataset=factory.dataset(), config={"max_prompt_tokens": 0})
    other = factory.workspace("Other")
    with pytest.raises(TrainingRefused, match="must belong to one workspace"):
        ask(factory, dataset=factory.dataset(), init_model=factory.model(workspace=other))


def test_a_run_has_the_report_on_its_data(factory: Factory) -> None:
    dataset = factory.dataset()
    asked = ask(factory, dataset=dataset, config={"max_prompt_tokens": 9}, init_model=(model := factory.model()))

    run = services.start_training_run(
        workspace=factory.workspace(),
        name="Run",
        algorithm="dpo",
        config={"max_prompt_tokens": 9},
        dataset=dataset,
        init_model=model,
    )

    assert run.data_report == asked
