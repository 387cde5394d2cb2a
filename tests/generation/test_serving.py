"""Servers that Concord starts: real processes, and vLLM's own only where nothing else will do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from core import jobs, urlguard
from core.jobs import JobCancelled
from core.models import Device, Job
from core.supervisor import PortBusy
from core.urlguard import UrlRefused
from generation import endpoints, serving, vllm_guardian
from generation.engines.base import SamplingParameters
from generation.models import LanguageModel, SamplingRun
from generation.services import NameTaken
from generation.serving import ManagedServer, ServerFailed
from generation.vllm_command import ServeOptions, ServingRefused, VllmMissing
from tests import workers
from tests.factory import Factory
from tests.fake_vllm import family, gone
from tests.vllm_server import save_tiny_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny_model(tmp_path / "model")


def wait_until(condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_a_server_is_healthy_while_it_lasts_and_leaves_nothing_behind(fake_vllm: Path, folder: Path) -> None:
    with serving.serve(str(folder), served_name="tiny") as server:
        processes = family(server.process.pid)
        assert len(processes) == 3  # the guardian, the server and its child
        engine = server.engine()
        conversation = [{"role": "user", "content": "Hi"}]
        ((_, (reply,)),) = engine.sample([conversation], num_completions=1, parameters=SamplingParameters())
        engine.close()
        assert reply.text == "Hello."
    assert gone(processes)
    with pytest.raises(UrlRefused):
        urlguard.check(server.url)


def test_a_server_that_ends_while_starting_shows_its_last_words(
    fake_vllm: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_FAKE_FAILURE", "1")
    with (
        pytest.raises(ServerFailed, match=r"exit code 3(.|\n)*made of cheese"),
        serving.serve(str(folder), served_name="a"),
    ):
        pass


def test_a_server_that_dies_later_is_noticed(fake_vllm: Path, folder: Path) -> None:
    with serving.serve(str(folder), served_name="tiny") as server:
        server.check()
        family(server.process.pid)[1].kill()
        server.process.wait(20)
        with pytest.raises(ServerFailed, match="ended with exit code"):
            server.check()


def test_a_port_that_is_taken_is_named(fake_vllm: Path, folder: Path) -> None:
    with listening() as port, pytest.raises(PortBusy, match=str(port)):
        serving.serve(str(folder), served_name="tiny", options=ServeOptions(port=port)).__enter__()


def test_without_vllm_the_remedy_is_named(settings: LazySettings, tmp_path: Path, folder: Path) -> None:
    settings.VLLM_DIR = tmp_path / "nothing"
    with pytest.raises(VllmMissing, match="make vllm"):
        serving.serve(str(folder), served_name="tiny").__enter__()


def test_a_guardian_ends_its_server_when_its_parent_is_killed(tmp_path: Path) -> None:
    server = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
    code = (
        "import os, subprocess, sys, time\n"
        "guardian = subprocess.Popen([sys.executable, '-I', sys.argv[1], str(os.getpid()), *sys.argv[2:]])\n"
        "print(guardian.pid, flush=True); time.sleep(600)\n"
    )
    command = [sys.executable, "-c", code, str(vllm_guardian.__file__), *server]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().strip().isdigit()
        assert parent.stdout.readline() == "up\n"
        processes = family(parent.pid)[1:]
        assert len(processes) == 2
        parent.kill()
    wait_until(lambda: gone(processes))


def test_a_server_ends_even_when_its_guardian_is_killed() -> None:
    server = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
    command = [sys.executable, "-I", str(vllm_guardian.__file__), str(os.getpid()), *server]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as guardian:
        assert guardian.stdout is not None
        assert guardian.stdout.readline() == "up\n"
        (child,) = family(guardian.pid)[1:]
        guardian.kill()
        wait_until(lambda: gone([child]))


@pytest.mark.django_db
def test_only_models_with_weights_can_be_served(factory: Factory) -> None:
    model = factory.model(source="served", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(ServingRefused, match="no weights here"):
        serving.managed_server(model).__enter__()


def claimed(factory: Factory) -> Job:
    job = jobs.claim(SamplingRun, factory.sampling_run(status="queued").pk)
    assert job is not None
    return job


@pytest.mark.django_db
def test_the_server_of_a_job_holds_a_device_while_it_lasts(fake_vllm: Path, folder: Path, factory: Factory) -> None:
    job = claimed(factory)
    with serving.managed_server(factory.model(location=folder), job=job):
        assert [device.holder for device in Device.objects.exclude(holder_model="")] == [f"sampling run {job.pk}"]
    assert not Device.objects.exclude(holder_model="").exists()


@pytest.mark.django_db
def test_a_wish_to_cancel_is_noticed_while_the_server_starts(
    fake_vllm: Path, folder: Path, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_FAKE_SLOWNESS", "1")
    job = claimed(factory)
    jobs.request_cancel(job)
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(JobCancelled):
        serving.managed_server(factory.model(location=folder), job=job).__enter__()
    assert gone([process for process in psutil.Process().children(recursive=True) if process not in before])
    assert not Device.objects.exclude(holder_model="").exists()


def test_the_server_computes_on_the_devices_that_were_granted(fake_vllm: Path, folder: Path) -> None:
    chosen = {"CUDA_VISIBLE_DEVICES": "3"}
    with serving.serve(str(folder), served_name="tiny", environment=chosen) as server:
        _, program, _ = family(server.process.pid)
        assert program.environ()["CUDA_VISIBLE_DEVICES"] == "3"


@pytest.mark.django_db
def test_the_served_model_is_registered_once_and_moves_with_its_server(
    fake_vllm: Path, folder: Path, factory: Factory
) -> None:
    model = factory.model(location=folder)
    rows = []
    for _ in range(2):
        with serving.managed_server(model) as server:
            rows.append(serving.register(model, server))
            assert rows[-1].endpoint_url == server.url
    assert rows[0].pk == rows[1].pk
    assert rows[1].endpoint_url != rows[0].endpoint_url
    assert (rows[1].source, rows[1].parent, rows[1].name) == ("served", model, f"{model.name} (served)")


@pytest.mark.django_db
def test_a_model_that_has_the_name_already_is_left_alone(factory: Factory, tmp_path: Path) -> None:
    model = factory.model()
    LanguageModel.objects.create(
        workspace=model.workspace, name=f"{model.name} (served)", source="hub", location="org/name"
    )
    server = ManagedServer(url="http://127.0.0.1:1", served_name="a", log=tmp_path, process=subprocess.Popen(["true"]))
    server.process.wait()
    with pytest.raises(NameTaken):
        serving.register(model, server)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "neither a registered model nor a folder called 'nobody'"),
        ([".", "--adapter", "polite"], "wants NAME=FOLDER"),
        (["."], "is not a model folder"),
    ],
)
def test_the_command_says_what_is_wrong(fake_vllm: Path, arguments: list[str], message: str) -> None:
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with pytest.raises(CommandError, match=message):
            call_command("serve_model", *arguments)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@pytest.mark.vllm
@pytest.mark.django_db(transaction=True)
def test_the_command_serves_a_model_through_vllm_until_it_is_told_to_stop(
    tiny_model_folder: Path, factory: Factory
) -> None:
    """The whole way with the real vLLM: slow, because it starts one of its own."""
    root = Path(serving.__file__).parent.parent
    if not (root / ".venv-vllm" / "bin" / "python").exists():
        pytest.skip("There is no vLLM in .venv-vllm. Install it with: make vllm")
    model = factory.model(location=tiny_model_folder)
    port = serving.free_port()
    command = [sys.executable, "manage.py", "serve_model", model.name, "--port", str(port)]
    environment = {**os.environ, "DATABASE_URL": workers.test_database_url()}
    with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        assert f"is served at http://127.0.0.1:{port}/v1" in lines[1], lines
        processes = family(process.pid)
        assert any("vllm.entrypoints" in " ".join(one.cmdline()) for one in processes)
        served = LanguageModel.objects.get(parent=model)
        assert endpoints.check_health(served.endpoint_url, name=served.location).is_up
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read().endswith("Stopped.\n")
    assert process.returncode == 0
    assert gone(processes)
