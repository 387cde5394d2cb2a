"""Judging runs with a vLLM server of their own: where they run, what they hold, and what they leave behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from annotation import judge_versions, runner, services
from annotation.models import Annotator, Campaign, JudgingRun, Judgment
from annotation.services import CampaignRefused
from core import jobs
from core.errors import ConcordError
from core.models import Device
from generation.vllm_command import ServingRefused
from tests.conftest import Doorbell
from tests.factory import Factory
from tests.fake_vllm import gone
from tests.vllm_server import save_tiny_model
from tests.workers import child_environment, start_process, wait_until

Capture = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / "model")


def judge_of(factory: Factory, **fields: Any) -> Annotator:
    """A judge whose model is a folder."""
    return judge_versions.create_llm_judge(
        workspace=factory.workspace(),
        name="Local",
        protocol="pairwise_verdict",
        model=factory.model(location=fields.pop("folder", None)),
        parameters={"conflict": "tie"},
        **fields,
    )


def campaign_of(factory: Factory) -> Campaign:
    campaign = factory.campaign(annotators=[])
    for _ in range(2):
        prompt = factory.prompt()
        factory.comparison(campaign, prompt, completions=factory.completions(prompt, ("one", "two")))
    return campaign


# Which queue


def test_what_loads_weights_or_starts_a_server_is_rung_at_the_heavy_queue(
    factory: Factory, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Capture
) -> None:
    campaign, local = campaign_of(factory), judge_of(factory)
    with django_capture_on_commit_callbacks(execute=True):
        for judge, has_server in (
            (factory.judge(), False),
            (factory.llm_judge(), False),
            (local, False),
            (local, True),
        ):
            services.start_judging_run(campaign=campaign, annotator=judge, uses_managed_server=has_server)
    assert [bell.queue for bell in doorbells] == ["light", "light", "gpu", "gpu"]


# What is refused


def test_a_judge_without_weights_here_can_have_no_server(factory: Factory) -> None:
    campaign = campaign_of(factory)
    with pytest.raises(ServingRefused, match="no weights here"):
        services.start_judging_run(campaign=campaign, annotator=factory.llm_judge(), uses_managed_server=True)
    with pytest.raises(CampaignRefused, match="no language model"):
        services.start_judging_run(campaign=campaign, annotator=factory.judge(), uses_managed_server=True)
    judge = judge_of(factory, adapter="polite")
    with pytest.raises(ServingRefused, match="named in full"):
        services.start_judging_run(campaign=campaign, annotator=judge, uses_managed_server=True)
    assert not JudgingRun.objects.exists()


# The run


def perform(run: JudgingRun) -> JudgingRun:
    with suppress(ConcordError):  # it is on the row
        jobs.perform(JudgingRun, run.pk, runner.judge)
    run.refresh_from_db()
    return run


def children() -> list[psutil.Process]:
    return list(psutil.Process().children(recursive=True))


@pytest.mark.django_db(transaction=True)
def test_a_server_judges_for_its_run_alone(
    factory: Factory, fake_vllm: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_FAKE_REPLY", "A")
    campaign, before = campaign_of(factory), children()
    started = services.start_judging_run(
        campaign=campaign, annotator=judge_of(factory, folder=folder), uses_managed_server=True
    )
    run = perform(started)
    assert (run.status, run.error) == ("finished", "")
    assert [row.answer["tiers"] for row in Judgment.objects.all()] == [[[0, 1]]] * 2  # whichever comes first
    assert gone([one for one in children() if one not in before])
    assert [device.holder for device in Device.objects.all()] == [""]


@pytest.mark.django_db(transaction=True)
def test_a_server_that_does_not_start_fails_the_run_with_its_last_words(
    factory: Factory, fake_vllm: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_FAKE_FAILURE", "1")
    judge = judge_of(factory, folder=folder)
    run = perform(services.start_judging_run(campaign=campaign_of(factory), annotator=judge, uses_managed_server=True))
    assert (run.status, run.failure_kind) == ("failed", "server-failed")
    assert "made of cheese" in run.error
    assert [device.holder for device in Device.objects.all()] == [""]


@pytest.mark.django_db(transaction=True)
def test_the_server_of_a_killed_worker_ends_and_the_next_attempt_has_one_of_its_own(
    factory: Factory, fake_vllm: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = judge_of(factory, folder=folder)
    run = services.start_judging_run(campaign=campaign_of(factory), annotator=judge, uses_managed_server=True)
    hanging = {**child_environment(""), "HF_FAKE_HANGS": "1", "HF_FAKE_REPLY": "A"}
    command = [sys.executable, "-m", "tests.annotation.judging_client", str(run.pk), str(fake_vllm)]
    worker = start_process(command, log_path=tmp_path / "worker.log", environment=hanging)
    try:
        wait_until(lambda: run.campaign.slots.exclude(token=None).exists(), why=lambda: worker.log)  # it is asked
        servers = psutil.Process(worker.pid).children(recursive=True)
        worker.popen.kill()  # this process alone, as the kernel does when memory runs out
        wait_until(lambda: gone(servers), why=lambda: worker.log)
    finally:
        worker.kill()
    assert len(servers) == 3
    JudgingRun.objects.update(status="queued")  # as the reaper does
    monkeypatch.setenv("HF_FAKE_REPLY", "A")
    run = perform(run)
    assert (run.status, run.error, run.attempt) == ("finished", "", 2)
    assert Judgment.objects.count() == 2
