"""vLLM servers that Concord starts itself: for a model, for as long as somebody wants it, on this machine only."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from django.conf import settings

from core import devices, jobs, managed_addresses
from core.errors import ConcordError
from core.models import Job
from core.supervisor import require_free_port
from generation import endpoints, vllm_command, vllm_guardian
from generation.engine_choice import check_startable, served_engine
from generation.engines.base import Engine, SamplingParameters
from generation.engines.errors import EngineError
from generation.models import LanguageModel
from generation.services import NameTaken
from generation.vllm_command import ServeOptions

START_SECONDS = 900.0  # for weights to load and kernels to compile
_HOST = "127.0.0.1"
_LAST_LINES = 12
_POLL_SECONDS = 0.2
_BEAT_SECONDS = 1.0  # between two looks whether somebody wants the job to stop
_HELLO = [{"role": "user", "content": "Hello"}]


def _nothing() -> None:
    """Nobody has to be told."""


class ServerFailed(ConcordError):
    """A vLLM server ended by itself or did not become healthy."""

    status = 502
    title = "The vLLM server failed"


@dataclass(frozen=True, kw_only=True)
class ManagedServer:
    """A healthy server."""

    url: str
    served_name: str
    log: Path
    process: "subprocess.Popen[bytes]"

    def engine(self) -> Engine:
        """An engine that speaks through it."""
        return served_engine(self.url, self.served_name)

    def check(self) -> None:
        """Raises `ServerFailed` with the end of its log if it has ended."""
        if self.process.poll() is not None:
            raise _failed(self.log, f"ended with exit code {self.process.returncode}")


@contextmanager
def managed_server(
    model: LanguageModel,
    *,
    options: ServeOptions | None = None,
    job: Job | None = None,
    adapters: Iterable[str] = (),
    on_wait: Callable[[], object] | None = None,
) -> Iterator[ManagedServer]:
    """A server for `model` while this lasts; the outbound guard lets calls to it pass.

    `adapters` are folders of LoRA adapters, and the names under which they are served; they go into `options`.

    For a `job` it runs on a device that the job waits for and holds, and a wish to cancel is noticed while it starts;
    `on_wait` replaces the job's beat until then.
    Raises `VllmMissing`, `ServingRefused`, `PortBusy` or `ServerFailed`, and what `jobs.beat` raises.
    """
    check_startable(model)
    served_name = _served_name(model.name)
    if folders := {folder: Path(folder) for folder in adapters if folder}:
        options = replace(options or ServeOptions(port=free_port()), adapters=folders)
    with ExitStack() as stack:
        environment = {} if job is None else stack.enter_context(devices.granted(job)).environment
        if on_wait is None:
            on_wait = _nothing if job is None else partial(jobs.beat, job)
        yield stack.enter_context(
            serve(model.location, served_name=served_name, options=options, environment=environment, on_wait=on_wait)
        )


@contextmanager
def serve(
    location: str,
    *,
    served_name: str,
    options: ServeOptions | None = None,
    environment: Mapping[str, str] | None = None,
    on_wait: Callable[[], object] = _nothing,
) -> Iterator[ManagedServer]:
    """A server for the weights at `location`, a folder or hub id, under `served_name`, with variables added.

    `on_wait` is called about once a second until it is healthy; what it raises ends the server. Raises as
    `managed_server`.
    """
    options = options or ServeOptions(port=free_port())
    install = vllm_command.find_install(settings.VLLM_DIR)
    vllm_command.check_servable(location, is_for_cpu=install.is_for_cpu)
    require_free_port(options.port)
    command = vllm_command.server_command(install, model=location, served_name=served_name, options=options)
    variables = {**vllm_command.server_environment(install, os.environ), **(environment or {})}
    log = settings.VAR_DIR / "log" / f"vllm-{options.port}.log"
    with _running(command, variables, log) as process:
        url = f"http://{_HOST}:{options.port}"
        server = ManagedServer(url=url, served_name=served_name, log=log, process=process)
        with managed_addresses.announced(settings.VAR_DIR, host=_HOST, port=options.port):
            _wait_until_healthy(server, on_wait)
            _say_hello(server)
            yield server


def register(model: LanguageModel, server: ManagedServer) -> LanguageModel:
    """The served model beside the one that it speaks for; the same row each time it is served. Raises `NameTaken`."""
    name = f"{model.name} (served)"
    existing = LanguageModel.objects.filter(workspace=model.workspace, name=name).first()
    if existing is not None and (existing.source, existing.parent_id) != (LanguageModel.Source.SERVED, model.pk):
        raise NameTaken(f"{model.workspace} already has another model called {name!r}; rename one of them.")
    served, _ = LanguageModel.objects.update_or_create(
        workspace=model.workspace,
        name=name,
        defaults={
            "kind": model.kind,
            "source": LanguageModel.Source.SERVED,
            "location": server.served_name,
            "endpoint_url": server.url,
            "parent": model,
        },
    )
    return served


@contextmanager
def _running(command: list[str], environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    log.parent.mkdir(parents=True, exist_ok=True)
    guardian = [sys.executable, "-I", vllm_guardian.__file__, str(os.getpid())]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*guardian, *command],
            env=environment,
            cwd=log.parent,  # not the folder of manage.py: its packages are not vLLM's to import
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process alone, which stops the server in order
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(2 * vllm_guardian.GRACE_SECONDS)
    finally:
        process.kill()
        process.wait()


def _wait_until_healthy(server: ManagedServer, on_wait: Callable[[], object]) -> None:
    deadline = time.monotonic() + START_SECONDS
    waited_at = 0.0
    while True:
        server.check()
        if time.monotonic() - waited_at > _BEAT_SECONDS:
            on_wait()
            waited_at = time.monotonic()
        with socket.socket() as probe:  # a refused connection costs nothing; a health check would log each attempt
            is_open = probe.connect_ex((_HOST, int(server.url.rsplit(":", 1)[1]))) == 0
        if is_open and endpoints.check_health(server.url, name=server.served_name).is_up:
            return
        if time.monotonic() > deadline:
            raise _failed(server.log, f"was not healthy after {START_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def _say_hello(server: ManagedServer) -> None:
    """The first request compiles what the next ones use, and tells a model that cannot speak from one that can."""
    engine = server.engine()
    try:
        list(engine.sample([_HELLO], num_completions=1, parameters=SamplingParameters(max_new_tokens=1)))
    except EngineError as error:
        raise _failed(server.log, f"started but did not reply ({error})") from error
    finally:
        engine.close()


def _failed(log: Path, what: str) -> ServerFailed:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    named = [line for line in lines if re.search(r"\w*(Error|Exception): ", line)]
    shown = "\n".join(named[:1] + ["…"] * bool(named) + lines[-_LAST_LINES:])
    return ServerFailed(f"The vLLM server {what}. From its log, {log}:\n{shown}")


def _served_name(name: str) -> str:
    """A name without blanks and slashes, which is what people type into requests."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "model"


def free_port() -> int:
    """A port of this machine where nobody listens at this moment."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
