"""The Dockerfile, docker-compose.yml and .env.example say what is true of the code. No Docker is needed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from celery.bin.celery import celery
from click.testing import CliRunner
from django.core.management import load_command_class
from django.test import Client

from config.environment import read_environment
from core.broker import QUEUES
from core.supervisor import programs

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "concord"}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INTERPOLATION = re.compile(r"\$\{([A-Z_]+)(?::?[-?+][^}]*)?\}")


class Recorder(Mapping[str, str]):
    """A good environment that remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self._values = {"DATABASE_URL": "postgresql://host/name", "SECRET_KEY": "s" * 40}

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def variables_read() -> set[str]:
    """The names that `config.environment` asks for."""
    recorder = Recorder()
    read_environment(recorder)
    return recorder.asked


def env_example() -> dict[str, str]:
    """The assignments of .env.example."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def interpolated() -> set[str]:
    """The variables that docker-compose.yml takes from .env."""
    return set(INTERPOLATION.findall((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))


def test_the_example_names_exactly_what_concord_and_compose_read() -> None:
    assert set(env_example()) == variables_read() | interpolated()


def test_the_example_holds_no_secret() -> None:
    assert {name for name in env_example() if env_example()[name] == ""} >= {"SECRET_KEY", "POSTGRES_PASSWORD"}


def test_compose_asks_for_its_secrets_instead_of_inventing_them() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for name in ("SECRET_KEY", "POSTGRES_PASSWORD"):
        assert set(re.findall(rf"\$\{{{name}([^}}]*)\}}", text)) == {":?fill it in in .env"}


def test_the_environment_that_compose_gives_is_accepted() -> None:
    filled = {**env_example(), "SECRET_KEY": "s" * 40, "POSTGRES_PASSWORD": "p"}
    for service in OURS.values():
        given = {name: INTERPOLATION.sub("x", value) for name, value in service["environment"].items()}
        environment = read_environment({**filled, **given, "SECRET_KEY": filled["SECRET_KEY"]})
        assert environment.broker_url.startswith("redis://")
        assert f"{environment.var_dir}" in {volume.split(":")[1] for volume in service["volumes"]}


def test_compose_starts_every_part() -> None:
    workers = {"worker", "worker-gpu", "worker-serving"}
    assert set(SERVICES) == {"postgres", "redis", "migrate", "web", *workers, "beat", "vllm"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_has_a_health_check_or_says_why_not(name: str) -> None:
    assert ("healthcheck" in SERVICES[name]) != ("x-no-healthcheck" in SERVICES[name])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_a_service_waits_for_can_be_waited_for(name: str) -> None:
    for other, wanted in SERVICES[name].get("depends_on", {}).items():
        assert (wanted["condition"] == "service_healthy") == ("healthcheck" in SERVICES[other])


def test_every_volume_is_declared_and_used() -> None:
    mounts = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert {mount.split(":")[0] for mount in mounts} == set(COMPOSE["volumes"])


def test_only_the_web_server_is_published_and_only_to_this_host() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["${CONCORD_PORT:-127.0.0.1:8000}:8000"]}
    assert env_example()["CONCORD_PORT"] == "127.0.0.1:8000"


def test_vllm_starts_only_when_asked_for() -> None:
    assert {name for name, service in SERVICES.items() if "profiles" in service} == {"vllm"}


def test_the_workers_of_compose_listen_to_every_queue() -> None:
    words = {word for service in OURS.values() for word in service["command"]}
    assert words >= {f"-Q{queue}" for queue in QUEUES}


@pytest.mark.parametrize("name", sorted(name for name in OURS if OURS[name]["command"][0] == "celery"))
def test_celery_takes_the_arguments_of_compose(name: str) -> None:
    result = CliRunner().invoke(celery, [*OURS[name]["command"][1:], "--help"])
    assert result.exit_code == 0, result.output


def test_celery_would_refuse_an_argument_that_it_does_not_know() -> None:
    result = CliRunner().invoke(celery, [*OURS["beat"]["command"][1:], "--no-such-option", "--help"])
    assert result.exit_code != 0


def test_workers_stop_in_compose_as_they_do_under_the_supervisor() -> None:
    wanted = {program.name: program.stop_signal.name for program in programs(port=8000)}
    stopped = {name: service.get("stop_signal", "SIGTERM") for name, service in OURS.items()}
    assert stopped["worker"] == wanted["light"]
    assert stopped["worker-gpu"] == wanted["gpu"]
    assert stopped["worker-serving"] == wanted["serving"]
    assert (stopped["web"], stopped["beat"]) == (wanted["web"], wanted["beat"])


@pytest.mark.parametrize("name", ["worker", "worker-gpu", "worker-serving"])
def test_celery_takes_the_arguments_of_the_health_checks(name: str) -> None:
    kind, command = OURS[name]["healthcheck"]["test"]
    words = shlex.split(command)
    assert kind == "CMD-SHELL"
    assert words[-1].removesuffix("@$$(hostname)") == f"--destination={name_of_node(name)}"
    result = CliRunner().invoke(celery, [*words[1:], "--help"])
    assert result.exit_code == 0, result.output


def name_of_node(name: str) -> str:
    """The worker's name before the host, as its command line says."""
    (word,) = [word for word in OURS[name]["command"] if word.startswith("--hostname=")]
    return str(word.removeprefix("--hostname=").removesuffix("@%h"))


@pytest.mark.parametrize("command", [OURS["web"]["command"], json.loads(DOCKERFILE.rsplit("CMD ", 1)[1])])
def test_gunicorn_takes_the_arguments_of_compose_and_of_the_image(command: list[str]) -> None:
    assert command[:2] == ["gunicorn", "config.wsgi"]
    checked = [sys.executable, "-m", *command, "--check-config"]
    result = subprocess.run(checked, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr


def test_migrate_takes_the_arguments_of_compose() -> None:
    python, script, name, *arguments = OURS["migrate"]["command"]
    assert (python, script) == ("python", "manage.py")
    parser = load_command_class("django.core", name).create_parser(script, name)
    assert not parser.parse_args(arguments).interactive


@pytest.mark.django_db
def test_the_health_check_asks_for_an_address_that_answers() -> None:
    code = OURS["web"]["healthcheck"]["test"][3]
    compile(code, "healthcheck", "exec")
    (path,) = re.findall(r'"GET", "([^"]+)"', code)
    assert Client().get(path).status_code == 200


def test_the_image_has_the_python_that_the_project_wants() -> None:
    (version,) = re.findall(r"^FROM python:3\.(\d+)-slim$", DOCKERFILE, re.MULTILINE)
    assert int(version) >= 11


def test_the_image_installs_the_lock_and_runs_as_nobody_special() -> None:
    assert "pip install -r requirements/base.lock" in DOCKERFILE
    (user,) = re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE)
    assert f"useradd --uid 10001 --gid {user} --create-home {user}" in DOCKERFILE
    assert DOCKERFILE.index("COPY . .") < DOCKERFILE.index("USER ")  # the code is root's: the process cannot change it


def test_the_folder_of_the_shared_volume_belongs_to_the_user_of_the_image() -> None:
    for service in OURS.values():
        assert service["environment"]["CONCORD_VAR_DIR"] in DOCKERFILE


def test_secrets_and_data_stay_out_of_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".env", "var", ".git", ".venv"} <= set(ignored)


def test_what_the_code_needs_goes_into_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages.isdisjoint(ignored)
    assert {"manage.py", "requirements"}.isdisjoint(ignored)
