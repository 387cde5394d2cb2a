"""The main job with real workers, beat and broker, in the smallest sizes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.core.management import call_command

from annotation.export import file_sha256
from annotation.models import Dataset, Judgment
from evaluation.models import EvaluationResult
from generation.models import LanguageModel
from generation.splits import split_of
from pipeline import services, summary
from pipeline.models import PipelineRun
from pipeline.options import PipelineOptions
from tests.factory import Factory
from tests.pipeline import tiny
from tests.workers import ChildProcess, child_environment, free_port, start_process, wait_until

pytestmark = [pytest.mark.workers, pytest.mark.django_db(transaction=True)]

Start = Callable[..., ChildProcess]
SECONDS = 420.0  # about thirty on an idle machine


@pytest.fixture
def perform(factory: Factory, start_worker: Start, start_beat: Start) -> Callable[[PipelineOptions], PipelineRun]:
    """`perform(options)` runs a pipeline to its end with a worker for each queue."""

    def run_to_end(options: PipelineOptions) -> PipelineRun:
        run = services.start_pipeline(workspace=factory.workspace(), options=options)
        children = [start_worker(queues="light"), start_worker(queues="gpu"), start_beat()]

        def has_ended() -> bool:
            run.refresh_from_db()
            return run.status != PipelineRun.Status.RUNNING

        wait_until(has_ended, seconds=SECONDS, why=lambda: tiny.story_of(run) + children[1].log[-4000:])
        assert run.status == "finished", tiny.story_of(run)
        return run

    return run_to_end


def model_of(run: PipelineRun, name: str) -> LanguageModel:
    """The model that some step of the run published under this name."""
    outputs = {key: pk for step in run.steps.all() for key, pk in step.outputs.items()}
    return LanguageModel.objects.get(pk=outputs[f"{name}_model"])


def check_dataset(dataset: Dataset) -> None:
    """Its files are what was hashed, and every row names judgments that exist and the split of its prompt."""
    assert file_sha256(dataset.parquet_path) == dataset.sha256
    assert file_sha256(dataset.jsonl_path) == dataset.jsonl_sha256
    rows = pq.read_table(dataset.parquet_path).to_pylist()
    assert len(rows) == dataset.num_rows > 0
    judgments = {pk for row in rows for pk in row["judgment_ids"]}
    assert Judgment.objects.filter(pk__in=judgments).count() == len(judgments) == dataset.counts["judgments"]
    campaign = dataset.campaigns.first()
    assert campaign is not None
    fraction = campaign.comparisons.earliest("pk").prompt.prompt_set.held_out_fraction
    assert all(row["split"] == split_of(row["group_id"], fraction) for row in rows)


def test_prompts_become_judged_trained_and_measured_policies(
    factory: Factory, perform: Callable[[PipelineOptions], PipelineRun]
) -> None:
    factory.person()
    run = perform(tiny.starter_options())
    assert set(run.steps.values_list("status", flat=True)) == {"finished"}
    assert all(step.summary for step in run.steps.all())
    for name, parent in (("dpo", "sft"), ("reward", "sft"), ("ppo", "sft")):
        assert model_of(run, name).parent == model_of(run, parent)
    training = model_of(run, "dpo").checkpoint.run
    assert (training.status, training.attempt, training.metrics.filter(kind="step").count()) == ("finished", 1, 2)
    assert training.dataset is not None
    check_dataset(training.dataset)
    judges = Judgment.objects.values_list("annotator__kind", "annotator__name").distinct().order_by("annotator__name")
    assert [kind for kind, _ in judges] == ["judge", "judge"]
    results = EvaluationResult.objects.order_by("pk")
    assert {(result.metric, result.model) for result in results} == {
        *(("win_rate", model_of(run, name)) for name in ("dpo", "ppo")),
        *((metric, model_of(run, name)) for name in ("reward", "dpo") for metric in ("accuracy", "margin")),
    }
    assert all(result.low <= result.value <= result.high for result in results)
    assert len(summary.result_table(run)) == 4 + results.count()


@pytest.fixture
def demo(broker: str, tmp_path: Path) -> Callable[..., str]:
    """`demo(words…)` runs `manage.py demo` to its end and returns what it printed."""

    def run_to_end(*words: str) -> str:
        process = start_process(
            [sys.executable, "manage.py", "demo", "--exit", "--port", str(free_port()), *words],
            log_path=tmp_path / "demo.log",
            environment=child_environment(broker),
        )
        try:
            assert process.popen.wait(SECONDS) == 0, process.log
        finally:
            process.kill()
        return process.log

    return run_to_end


@pytest.mark.parametrize("broker", ["postgresql"], indirect=True)
def test_the_demo_learns_from_a_file_of_pairs_and_a_second_one_goes_on_with_the_same_data(
    demo: Callable[..., str], tmp_path: Path
) -> None:
    options = tiny.pairs_options(tiny.write_pairs(tmp_path / "pairs.jsonl"))
    words = ["--data", options.data, "--configs", json.dumps(options.configs)]
    printed = demo(*words)
    assert "59 pairs on 59 prompts" in printed
    assert "1 unusable lines skipped (line 8: " in printed
    assert printed.count("✓") == 7
    run = PipelineRun.objects.get()
    training = model_of(run, "dpo").checkpoint.run
    assert training.dataset is not None
    check_dataset(training.dataset)
    results = EvaluationResult.objects.filter(metric="accuracy")
    assert {result.model for result in results} == {model_of(run, "reward"), model_of(run, "dpo")}
    assert all(0 <= result.low <= result.value <= result.high <= 1 for result in results)
    again = demo(*words)
    assert [line for line in again.splitlines() if "accuracy" in line][-1] in printed
    assert PipelineRun.objects.get() == run


@pytest.mark.parametrize("broker", ["postgresql"], indirect=True)
def test_the_command_starts_a_pipeline_and_leaves_it_to_the_workers(
    factory: Factory, start_worker: Start, start_beat: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    factory.workspace("Demo")
    sizes = json.dumps({"num_prompts": 20})
    call_command("run_pipeline", "--sizes", sizes, "--configs", json.dumps(tiny.CONFIGS), "--no-follow")
    assert "has been started" in capsys.readouterr().out
    run = PipelineRun.objects.get()
    worker, beat = start_worker(queues="light"), start_beat()
    wait_until(
        lambda: run.steps.get(key="sft").status == "running",
        seconds=SECONDS,
        why=lambda: tiny.story_of(run) + worker.log + beat.log,
    )
    services.cancel_pipeline(pipeline_run=run)
    assert {job.status for job in services.jobs_of(run.steps.get(key="sft"))} == {"cancelled"}
