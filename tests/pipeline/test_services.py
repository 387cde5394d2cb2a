from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotation.models import Annotator, Campaign, Dataset, JudgingRun
from core import jobs
from core.errors import IllegalTransition
from core.jobs import JobFailed
from core.models import Job
from generation.models import PromptSet, SamplingRun
from pipeline import services, tasks
from pipeline.models import PipelineRun, PipelineStep
from pipeline.options import OptionsInvalid, PipelineOptions
from pipeline.services import StepFailed
from tests.factory import Factory
from tests.pipeline import tiny
from tests.training.tiny import demonstrations
from training.models import TrainingRun


def started(factory: Factory, options: PipelineOptions | None = None) -> PipelineRun:
    return services.start_pipeline(workspace=factory.workspace(), options=options or tiny.starter_options())


def statuses(run: PipelineRun) -> list[str]:
    return list(run.steps.order_by("number").values_list("status", flat=True))


def step(run: PipelineRun, key: str) -> PipelineStep:
    return run.steps.get(key=key)


@pytest.fixture
def at_sft(factory: Factory, finish_jobs: Callable[[], int]) -> PipelineRun:
    """A pipeline whose training run of SFT waits for a worker."""
    run = started(factory)
    services.advance(pk=run.pk)
    finish_jobs()
    services.advance(pk=run.pk)
    return run


def sft_job(run: PipelineRun) -> TrainingRun:
    [job] = services.jobs_of(step(run, "sft"))
    assert isinstance(job, TrainingRun)
    return job


# Starting


def test_all_steps_wait_at_first(factory: Factory) -> None:
    run = started(factory)
    keys = ["prompts", "demonstrations", "sft", "candidates", "judging", "dataset", "reward", "dpo", "ppo"]
    assert [step.key for step in run.steps.all()] == [*keys, "held_out", "evaluation"]
    assert set(statuses(run)) == {"waiting"}
    assert run.name == f"starter {run.pk}"


def test_pairs_and_a_served_model_have_steps_of_their_own(factory: Factory, tmp_path: Path) -> None:
    pairs = started(factory, tiny.pairs_options(tmp_path / "pairs.jsonl"))
    keys = ["pairs", "demonstrations", "sft", "dataset", "reward", "dpo", "evaluation"]
    assert [step.key for step in pairs.steps.all()] == keys
    served = started(factory, tiny.starter_options(vllm_url="http://example.org/v1"))
    assert [step.key for step in served.steps.all()][:3] == ["prompts", "served", "candidates"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sizes": {"num_promts": 3}}, "Unknown size 'num_promts'"),
        ({"configs": {"sftt": {}}}, "configs maps sft, reward, dpo, ppo to fields"),
        ({"configs": {"sft": 3}}, "configs maps"),
        ({"configs": {"dpo": {"bta": 1}}}, "dpo: Unknown setting bta; did you mean beta"),
        ({"configs": {"dpo": {"beta": 0}}}, "dpo: beta must be positive"),
    ],
)
def test_a_pipeline_that_would_stumble_later_is_refused_at_once(
    factory: Factory, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(OptionsInvalid, match=words):
        started(factory, tiny.starter_options(**changes))
    assert not PipelineRun.objects.exists()


# Advancing


def test_a_step_without_jobs_is_done_at_once_and_the_next_one_waits_for_its_job(factory: Factory) -> None:
    run = started(factory)
    assert services.advance(pk=run.pk)
    assert statuses(run)[:3] == ["finished", "running", "waiting"]
    assert step(run, "prompts").summary.startswith("300 with demonstrations, 300 to be judged on")
    dataset = Dataset.objects.get()
    assert step(run, "demonstrations").jobs == [["annotation.dataset", dataset.pk]]


def test_advancing_again_starts_nothing_twice(factory: Factory) -> None:
    run = started(factory)
    for _ in range(3):
        assert services.advance(pk=run.pk)
    assert (Dataset.objects.count(), PromptSet.objects.count()) == (1, 2)


def test_an_ended_pipeline_is_left_alone(factory: Factory) -> None:
    run = started(factory)
    services.cancel_pipeline(pipeline_run=run)
    assert not services.advance(pk=run.pk)
    assert set(statuses(run)) == {"waiting"}


def test_a_second_pipeline_with_the_same_seed_uses_the_same_prompts(factory: Factory) -> None:
    for _ in range(2):
        services.advance(pk=started(factory).pk)
    assert PromptSet.objects.count() == 2
    assert Dataset.objects.count() == 2


# Failing, trying again, cancelling


def test_a_failed_job_fails_the_pipeline_with_its_own_words(at_sft: PipelineRun) -> None:
    held = jobs.claim(TrainingRun, sft_job(at_sft).pk)
    assert held is not None
    jobs.fail(held, failure_kind="disk_full", error="The disk is full: free some space.")
    with pytest.raises(StepFailed, match="The disk is full: free some space"):
        services.advance(pk=at_sft.pk)
    at_sft.refresh_from_db()
    assert at_sft.status == "failed"
    assert at_sft.finished_at is not None
    assert (step(at_sft, "sft").status, statuses(at_sft)[3]) == ("failed", "waiting")
    assert "The disk is full" in step(at_sft, "sft").error


def test_a_failed_step_is_tried_again_with_a_new_job(at_sft: PipelineRun) -> None:
    first = sft_job(at_sft)
    jobs.request_cancel(first)
    with pytest.raises(StepFailed, match="was cancelled"):
        services.advance(pk=at_sft.pk)
    services.retry_pipeline(pipeline_run=at_sft)
    assert services.advance(pk=at_sft.pk)
    second = sft_job(at_sft)
    assert (second.status, second.pk != first.pk) == ("queued", True)
    assert (step(at_sft, "sft").error, Dataset.objects.count()) == ("", 1)


def test_a_mended_pipeline_goes_on_to_its_end(at_sft: PipelineRun, finish_jobs: Callable[[], int]) -> None:
    at_sft.steps.filter(number__gt=3).delete()
    path = Dataset.objects.get().parquet_path
    whole = path.read_bytes()
    path.write_bytes(whole + b"one byte more")
    with pytest.raises(JobFailed):
        finish_jobs()
    with pytest.raises(StepFailed, match="Freeze it again"):
        services.advance(pk=at_sft.pk)
    path.write_bytes(whole)
    services.retry_pipeline(pipeline_run=at_sft)
    services.advance(pk=at_sft.pk)
    finish_jobs()
    assert not services.advance(pk=at_sft.pk)
    at_sft.refresh_from_db()
    assert (at_sft.status, statuses(at_sft)) == ("finished", ["finished"] * 3)
    assert "200 steps" in step(at_sft, "sft").summary


def test_only_a_failed_pipeline_is_tried_again(factory: Factory) -> None:
    run = started(factory)
    with pytest.raises(IllegalTransition, match="has not failed"):
        services.retry_pipeline(pipeline_run=run)


def test_a_step_that_cannot_start_leaves_nothing_half_done(factory: Factory, tmp_path: Path) -> None:
    run = started(factory, tiny.pairs_options(tmp_path / "absent.jsonl"))
    with pytest.raises(Exception, match=r"absent\.jsonl cannot be read"):
        services.advance(pk=run.pk)
    assert (step(run, "pairs").status, step(run, "pairs").jobs) == ("failed", [])
    assert not Campaign.objects.exists()


def test_a_failure_that_nobody_foresaw_is_stored_with_its_type(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(factory)
    monkeypatch.setattr("generation.starter.generate", lambda **sizes: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        services.advance(pk=run.pk)
    assert step(run, "prompts").error == "ZeroDivisionError: division by zero"
    assert not PromptSet.objects.exists()


def test_cancelling_stops_the_jobs_that_have_not_ended(at_sft: PipelineRun) -> None:
    services.cancel_pipeline(pipeline_run=at_sft)
    assert sft_job(at_sft).status == "cancelled"
    at_sft.refresh_from_db()
    assert at_sft.status == "cancelled"
    assert (step(at_sft, "sft").status, step(at_sft, "sft").error) == ("failed", "The pipeline was cancelled.")
    with pytest.raises(IllegalTransition, match="already ended"):
        services.cancel_pipeline(pipeline_run=at_sft)


def test_cancelling_passes_over_jobs_that_have_ended(factory: Factory) -> None:
    run = started(factory)
    first = run.steps.earliest("number")
    done, running = factory.judging_run(status="finished"), factory.judging_run(status="running")
    first.jobs = [[job._meta.label_lower, job.pk] for job in (done, running)]
    first.status = PipelineStep.Status.RUNNING
    first.save()
    services.cancel_pipeline(pipeline_run=run)
    assert JudgingRun.objects.filter(is_cancel_requested=True).get() == running


def test_a_failing_pipeline_does_not_hold_up_the_others(factory: Factory, tmp_path: Path) -> None:
    bad = started(factory, tiny.pairs_options(tmp_path / "absent.jsonl"))
    good = started(factory)
    tasks.advance_waiting_pipelines()
    assert PipelineRun.objects.get(pk=bad.pk).status == "failed"
    assert step(good, "prompts").status == "finished"


# What a step starts


def test_people_are_enrolled_and_have_tasks_of_their_own(factory: Factory, finish_jobs: Callable[[], int]) -> None:
    bob = factory.person()
    run = started(factory)
    prompts = factory.prompt_set(num_prompts=6)
    sampled = factory.sampling_run(prompts, num_completions=3)
    outputs = {"prompt_set": prompts.pk, "candidates": sampled.pk}
    run.steps.filter(number__lt=5).update(status="finished", outputs=outputs)
    services.advance(pk=run.pk)
    assert finish_jobs() == 4
    services.advance(pk=run.pk)
    assert "Raw agreement" in step(run, "judging").summary
    for campaign in Campaign.objects.all():
        assert campaign.enrolments.filter(annotator=bob).exists()
        assert campaign.slots.filter(judged_at=None).count() == tiny.SIZES["num_labeler_tasks"]
    assert Annotator.objects.filter(kind="judge").count() == 2


def test_a_models_folder_is_trained_on_instead_of_a_fresh_one(factory: Factory, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    for name in ("model.safetensors", "tokenizer.json", "chat_template.jinja"):
        (tmp_path / name).write_text("{}")
    run = started(factory, tiny.starter_options(model=str(tmp_path)))
    run.steps.filter(number__lt=3).update(status="finished", outputs={"demonstrations": demonstrations(factory).pk})
    services.advance(pk=run.pk)
    model = sft_job(run).init_model
    assert model is not None
    assert (model.location, model.source) == (str(tmp_path), "folder")


def test_the_held_out_prompts_are_sampled_from_all_three_policies(factory: Factory) -> None:
    run = started(factory)
    policies = {f"{name}_model": factory.model(name).pk for name in ("sft", "dpo", "ppo")}
    outputs = {**policies, "prompt_set": factory.prompt_set(num_prompts=3).pk}
    run.steps.filter(number__lt=10).update(status="finished", outputs=outputs)
    services.advance(pk=run.pk)
    sampled = SamplingRun.objects.get()
    assert (sampled.split, sampled.status) == ("held_out", Job.Status.QUEUED)
    assert set(sampled.arms.values_list("model", flat=True)) == set(policies.values())
