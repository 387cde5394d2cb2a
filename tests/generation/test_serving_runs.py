"""vLLM servers that somebody starts from a page: they last until they are stopped, and leave nothing behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.db import IntegrityError, connection

from core import jobs
from core.models import Device
from generation import serving_runner, serving_services
from generation.engine_choice import served_engine
from generation.engines.base import SamplingParameters
from generation.models import LanguageModel, ServingRun
from generation.serving_services import ServingTwice
from generation.vllm_command import ServingRefused
from tests.factory import Factory
from tests.fake_vllm import gone
from tests.vllm_server import save_tiny_model
from tests.workers import wait_until


@contextmanager
def performed(run: ServingRun) -> Iterator[threading.Thread]:
    """A worker's thread that carries the run out."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            jobs.perform(ServingRun, run.pk, serving_runner.serve)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        if not ServingRun.objects.get(pk=run.pk).has_ended:
            jobs.request_cancel(run)
        thread.join(60)


def fresh(run: ServingRun) -> ServingRun:
    found: ServingRun = ServingRun.objects.select_related("served").get(pk=run.pk)
    return found


def policy(factory: Factory, tmp_path: Path) -> LanguageModel:
    return factory.model("Tiny", location=save_tiny_model(tmp_path / "model"))


@pytest.mark.django_db(transaction=True)
def test_a_served_model_is_there_until_somebody_stops_it(factory: Factory, fake_vllm: Path, tmp_path: Path) -> None:
    before = psutil.Process().children(recursive=True)
    run = serving_services.start_serving(model=policy(factory, tmp_path))
    with performed(run) as thread:
        wait_until(lambda: bool(fresh(run).url), seconds=60)
        healthy = fresh(run)
        assert healthy.served is not None
        assert (healthy.served.source, healthy.served.endpoint_url) == ("served", healthy.url)
        assert [device.holder for device in Device.objects.exclude(holder_model="")] == [f"serving run {run.pk}"]
        jobs.request_cancel(run)
        thread.join(60)
    ended = fresh(run)
    assert (ended.status, ended.url) == ("cancelled", "")
    assert gone([one for one in psutil.Process().children(recursive=True) if one not in before])
    assert not Device.objects.exclude(holder_model="").exists()


@pytest.mark.django_db(transaction=True)
def test_a_server_that_does_not_start_leaves_its_log(
    factory: Factory, fake_vllm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_FAKE_FAILURE", "1")
    run = serving_services.start_serving(model=policy(factory, tmp_path))
    with performed(run) as thread:
        thread.join(60)
    ended = fresh(run)
    assert ended.status == "failed"
    assert "made of cheese" in ended.log_tail
    assert "made of cheese" in ended.error


@pytest.mark.django_db(transaction=True)
def test_a_server_that_ends_by_itself_fails_its_run(factory: Factory, fake_vllm: Path, tmp_path: Path) -> None:
    before = psutil.Process().children(recursive=True)
    run = serving_services.start_serving(model=policy(factory, tmp_path))
    with performed(run) as thread:
        wait_until(lambda: bool(fresh(run).url), seconds=60)
        for process in psutil.Process().children(recursive=True):
            if process not in before and "server.py" in " ".join(process.cmdline()):
                process.kill()
        thread.join(60)
    ended = fresh(run)
    assert (ended.status, ended.url) == ("failed", "")
    assert "ended with exit code" in ended.error


@pytest.mark.django_db
def test_a_model_has_one_server_at_a_time(factory: Factory) -> None:
    model = factory.model()
    first = serving_services.start_serving(model=model)
    with pytest.raises(ServingTwice, match="has a server already"):
        serving_services.start_serving(model=model)
    jobs.request_cancel(first)
    assert serving_services.start_serving(model=model)


@pytest.mark.django_db
def test_the_database_refuses_a_second_server(factory: Factory) -> None:
    run = factory.serving_run()
    with pytest.raises(IntegrityError):
        factory.serving_run(model=run.model)


@pytest.mark.django_db
def test_only_policies_with_weights_are_served(factory: Factory) -> None:
    with pytest.raises(ServingRefused, match="does not write"):
        serving_services.start_serving(model=factory.model(kind="reward"))
    with pytest.raises(ServingRefused, match="no weights here"):
        serving_services.start_serving(model=factory.model(source="served", endpoint_url="http://127.0.0.1:1"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.vllm
def test_a_real_server_replies_until_it_is_stopped(factory: Factory, tmp_path: Path) -> None:
    run = serving_services.start_serving(model=policy(factory, tmp_path))
    with performed(run) as thread:
        wait_until(lambda: bool(fresh(run).url) or fresh(run).has_ended, seconds=300)
        healthy = fresh(run)
        if healthy.failure_kind == "vllm-missing":
            pytest.skip(healthy.error)
        assert healthy.served is not None, healthy.error
        assert healthy.log_tail
        engine = served_engine(healthy.url, healthy.served.location)
        conversation = [{"role": "user", "content": "Say cat twice."}]
        [(_, [reply])] = engine.sample(
            [conversation], num_completions=1, parameters=SamplingParameters(max_new_tokens=4)
        )
        engine.close()
        assert reply.num_tokens > 0
        jobs.request_cancel(run)
        thread.join(120)
    assert fresh(run).status == "cancelled"
