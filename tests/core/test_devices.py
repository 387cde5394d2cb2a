"""Leases of devices, on PostgreSQL with real processes: one holder at a time, and none for ever."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from core import device_leases, devices, jobs
from core.jobs import JobFailed, StaleAttempt
from core.models import Device, DeviceWait
from tests.factory import Factory
from tests.workers import ChildProcess, child_environment, start_process, wait_until
from training.models import TrainingRun

HOST = socket.gethostname()


@pytest.fixture(autouse=True)
def cpu_machine(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> None:
    """A machine with one CPU slot, whatever the tests run on; waiting jobs look often."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    settings.CPU_SLOTS = 1
    monkeypatch.setattr(devices, "POLL_SECONDS", 0.01)


def running(factory: Factory) -> TrainingRun:
    job = jobs.claim(TrainingRun, factory.training_run(status="queued").pk)
    assert job is not None
    return job


def slot() -> Device:
    return Device.objects.get(key=f"{HOST}/cpu-0")


def expire() -> None:
    Device.objects.update(leased_until=timezone.now() - timedelta(seconds=1))


@pytest.fixture
def in_background() -> Iterator[Any]:
    """`in_background(job, body)` performs a queued job in a thread."""
    threads: list[threading.Thread] = []

    def start(job: TrainingRun, body: Any) -> threading.Thread:
        def work() -> None:
            try:
                jobs.perform(TrainingRun, job.pk, body)
            finally:
                connection.close()

        threads.append(threading.Thread(target=work))
        threads[-1].start()
        return threads[-1]

    yield start
    TrainingRun.objects.filter(status="running").update(is_cancel_requested=True)
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


# One statement


def test_a_job_holds_a_device_for_a_while_and_gives_it_back(factory: Factory) -> None:
    job = running(factory)
    with devices.granted(job) as grant:
        assert (slot().holder, slot().attempt) == (f"training run {job.pk}", 1)
        assert grant.environment == {}
    assert (slot().holder, slot().leased_until) == ("", None)


def test_a_device_is_given_back_when_the_work_on_it_fails(factory: Factory) -> None:
    with pytest.raises(ZeroDivisionError), devices.granted(running(factory)):
        _ = 1 / 0
    assert slot().holder == ""


def test_devices_are_claimed_together_or_not_at_all(factory: Factory, settings: LazySettings) -> None:
    settings.CPU_SLOTS = 3
    first, second = running(factory), running(factory)
    keys = [f"{HOST}/cpu-{number}" for number in range(3)]
    with devices.granted(first, num=2) as grant:
        assert [one.key for one in grant.devices] == keys[:2]
        assert device_leases.claim(second, keys, num=2) == ()
        assert device_leases.claim(second, keys, num=1) == (keys[2],)


def test_more_devices_than_the_machine_has_are_refused_at_once(factory: Factory) -> None:
    with pytest.raises(JobFailed, match="2 devices are wanted") as caught, devices.granted(running(factory), num=2):
        pass
    assert caught.value.failure_kind == "devices-missing"


def test_a_lease_that_ran_out_is_taken_and_its_first_holder_notices(factory: Factory) -> None:
    first, second = running(factory), running(factory)
    with devices.granted(first):
        expire()
        with devices.granted(second):
            assert device_leases.renew(first) == 0
            with pytest.raises(JobFailed, match="another job took it"):
                jobs.beat(first)
            device_leases.release(first)
            assert slot().holder_id == second.pk


def test_a_later_attempt_takes_what_the_earlier_one_held_and_an_earlier_one_gets_nothing(factory: Factory) -> None:
    first = running(factory)
    with devices.granted(first):
        TrainingRun.objects.filter(pk=first.pk).update(status="queued")
        second = jobs.claim(TrainingRun, first.pk)
        assert second is not None
        with devices.granted(second):
            assert slot().attempt == 2
            with pytest.raises(StaleAttempt), devices.granted(first):
                pass
    assert slot().holder == ""


def test_slots_that_a_machine_no_longer_has_are_forgotten(factory: Factory, settings: LazySettings) -> None:
    settings.CPU_SLOTS = 2
    with devices.granted(running(factory)):
        assert Device.objects.count() == 2
    settings.CPU_SLOTS = 1
    with devices.granted(running(factory)):
        assert [one.key for one in Device.objects.all()] == [f"{HOST}/cpu-0"]


# Waiting


@pytest.mark.django_db(transaction=True)
def test_a_job_that_waits_says_for_whom_and_can_be_cancelled(factory: Factory, in_background: Any) -> None:
    holder, waiter = running(factory), factory.training_run(status="queued")

    def compute(run: TrainingRun) -> None:
        with devices.granted(run):
            raise AssertionError("the device was taken twice")

    with devices.granted(holder):
        thread = in_background(waiter, compute)
        wait_until(lambda: DeviceWait.objects.exists())
        words = device_leases.in_words(device_leases.waiting().get())
        assert words.startswith(f"waits for a device: CPU slot 0 of {HOST} is held by training run {holder.pk} until ")
        jobs.request_cancel(waiter)
        thread.join(30)
    waiter.refresh_from_db()
    assert (waiter.status, DeviceWait.objects.count()) == ("cancelled", 0)


@pytest.mark.django_db(transaction=True)
def test_a_job_that_waited_goes_on_when_the_device_is_free(factory: Factory, in_background: Any) -> None:
    holder, waiter = running(factory), factory.training_run(status="queued")

    def compute(run: TrainingRun) -> None:
        with devices.granted(run):
            jobs.beat(run, num_done=7)

    with devices.granted(holder):
        thread = in_background(waiter, compute)
        wait_until(lambda: DeviceWait.objects.exists())
    thread.join(30)
    waiter.refresh_from_db()
    assert (waiter.status, waiter.num_done) == ("finished", 7)


@pytest.mark.django_db(transaction=True)
def test_a_lease_moves_on_with_the_heartbeat(factory: Factory, settings: LazySettings, in_background: Any) -> None:
    settings.JOB_STALE_SECONDS = 0.2
    job = factory.training_run(status="queued")
    ends: set[Any] = set()

    def compute(run: TrainingRun) -> None:
        with devices.granted(run):
            while len(ends) < 4:
                ends.add(slot().leased_until)

    in_background(job, compute).join(30)
    assert len(ends) == 4


# Processes


@contextmanager
def client(run: TrainingRun, log: Path, times: int, **environment: str) -> Iterator[ChildProcess]:
    arguments = [sys.executable, "-m", "tests.core.device_client", str(run.pk), str(log), str(times)]
    variables = {**child_environment(""), "CUDA_VISIBLE_DEVICES": "", "CONCORD_CPU_SLOTS": "1", **environment}
    process = start_process(arguments, log_path=log.with_suffix(f".{run.pk}"), environment=variables)
    try:
        yield process
    finally:
        process.kill()


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_race_for_a_device_never_have_it_both(factory: Factory, tmp_path: Path) -> None:
    runs = [factory.training_run(status="queued") for _ in range(2)]
    log, times = tmp_path / "log", 25
    with client(runs[0], log, times) as one, client(runs[1], log, times) as other:
        wait_until(lambda: not TrainingRun.objects.exclude(status="finished").exists(), why=lambda: one.log + other.log)
    lines = log.read_text().splitlines()
    assert len(lines) == 4 * times
    for begins, ends in zip(lines[::2], lines[1::2], strict=True):
        assert begins.replace("begins", "ends") == ends
    assert slot().holder == ""


@pytest.mark.django_db(transaction=True)
def test_the_device_of_a_killed_worker_is_taken_once_its_lease_has_run_out(factory: Factory, tmp_path: Path) -> None:
    doomed, heir = factory.training_run(status="queued"), running(factory)
    log = tmp_path / "log"
    with client(doomed, log, 0, JOB_STALE_SECONDS="1") as process:
        wait_until(lambda: log.exists() and "begins" in log.read_text(), why=lambda: process.log)
        process.kill()
        assert slot().holder_id == doomed.pk
        with devices.granted(heir):
            assert slot().holder_id == heir.pk
    assert "ends" not in log.read_text()


def test_the_command_lists_what_is_here_and_who_has_it(factory: Factory) -> None:
    job, output = running(factory), StringIO()
    with devices.granted(job):
        call_command("devices", stdout=output)
    assert f"CPU slot 0 ({HOST}/cpu-0)" in output.getvalue()
    assert f"CPU slot 0 of {HOST}: training run {job.pk}, until " in output.getvalue()
