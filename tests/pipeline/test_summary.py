from __future__ import annotations

import io
from datetime import timedelta

import pytest

from core.errors import ConcordError
from pipeline import summary
from pipeline.follow import follow, progress_of
from pipeline.models import PipelineRun, PipelineStep
from tests.factory import STARTED_AT, Factory


@pytest.fixture
def run(factory: Factory) -> PipelineRun:
    """A finished pipeline of two steps, the last of which is an evaluation."""
    run = factory.pipeline(status="finished")
    evaluation = factory.evaluation("Win rate · starter 1")
    run.steps.filter(key="sft").update(
        status="finished", jobs=[["evaluation.evaluationrun", evaluation.pk]], summary="it won"
    )
    return run


def test_the_table_has_a_line_for_each_result(run: PipelineRun, factory: Factory) -> None:
    factory.evaluation("Another pipeline's")
    [row] = [line for line in summary.result_table(run) if "win rate" in line]
    assert row.split()[-4:] == ["0.620", "[0.550,", "0.690]", "2"]
    assert row.startswith("win rate: Win rate ")


def test_a_pipeline_without_results_has_an_empty_table(factory: Factory) -> None:
    assert len(summary.result_table(factory.pipeline())) == 4


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"status": "waiting"}, " · Sft"),
        ({"status": "finished", "summary": "done", "finished_at": STARTED_AT + timedelta(seconds=75)}, "75 s  done"),
        ({"status": "failed", "summary": "done", "error": "It broke."}, "It broke."),
        ({"status": "running", "summary": ""}, "25%"),
    ],
)
def test_a_step_is_one_line(fields: dict[str, object], line: str) -> None:
    step = PipelineStep(title="Sft", started_at=STARTED_AT, **fields)
    assert line in summary.step_line(step, progress=0.25)


def test_following_prints_each_ended_step_once(run: PipelineRun) -> None:
    out = io.StringIO()
    assert follow(run, out=out).status == "finished"
    assert [line.split()[:2] for line in out.getvalue().splitlines()] == [["✓", "Prompts"], ["✓", "Sft"]]


def test_following_ends_with_the_error_of_a_dead_process(factory: Factory) -> None:
    def check() -> None:
        raise ConcordError("The gpu process keeps ending.")

    with pytest.raises(ConcordError, match="keeps ending"):
        follow(factory.pipeline(), out=io.StringIO(), check=check)


def test_a_steps_progress_is_the_mean_of_its_jobs(factory: Factory) -> None:
    step = factory.pipeline().steps.get(key="sft")
    jobs = [factory.judging_run(status=status) for status in ("finished", "running")]
    step.jobs = [[job._meta.label_lower, job.pk] for job in jobs]
    assert progress_of(step) == (1.0 + 0.5) / 2
    assert progress_of(PipelineStep(jobs=[])) == 0.0
