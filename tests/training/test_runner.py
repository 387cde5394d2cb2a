from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from django.conf import LazySettings
from django.conf import settings as configured
from django.db import connection

from core import jobs, pauses
from core.jobs import JobFailed, StaleAttempt
from core.models import Device, Job
from generation.engine_choice import open_engine
from generation.engines.base import SamplingParameters
from tests.factory import Factory
from tests.training import tiny
from training import endings, run_directory, runner, services
from training.algorithms.token_limit import token_limit
from training.endings import RETRIES
from training.models import Metric, TrainingRun


@pytest.fixture(autouse=True)
def runs_dir(settings: LazySettings, tmp_path: Path) -> Path:
    settings.RUNS_DIR = tmp_path / "runs"
    return tmp_path / "runs"


def perform(run: TrainingRun) -> TrainingRun:
    """Do the job as a worker would, whatever becomes of it."""
    try:
        jobs.perform(TrainingRun, run.pk, runner.train)
    except JobFailed:
        assert TrainingRun.objects.get(pk=run.pk).status == Job.Status.FAILED
    run.refresh_from_db()
    return run


@contextmanager
def in_background(run: TrainingRun) -> Iterator[None]:
    """Do the job in a thread; whatever still runs at the end is killed."""

    def body() -> None:
        try:
            perform(run)
        finally:
            connection.close()

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield
        thread.join(tiny.SECONDS)
        assert not thread.is_alive(), tiny.log_of(run)
    finally:
        TrainingRun.objects.filter(pk=run.pk, status="running").update(is_cancel_requested=True)
        for process in tiny.trainers(run.folder):
            process.kill()
        thread.join()


def claimed(run: TrainingRun) -> TrainingRun:
    held = jobs.claim(TrainingRun, run.pk)
    assert held is not None
    return held


# The real training process


def test_a_run_leaves_metrics_samples_and_a_model_that_speaks(factory: Factory) -> None:
    run = perform(tiny.sft_run(factory, num_epochs=2, max_steps=6, eval_every=3, checkpoint_every=4))
    assert run.status == "finished", run.error
    assert list(run.metrics.filter(kind="step").values_list("step", flat=True)) == [1, 2, 3, 4, 5, 6]
    assert list(run.metrics.filter(kind="evaluation").values_list("step", flat=True)) == [0, 3, 6]
    assert all("loss" in row.values for row in Metric.objects.filter(run=run, kind="step"))
    assert run.sample_texts.exists()
    assert list(run.checkpoints.values_list("step", "is_final")) == [(4, False), (6, True)]
    assert (run.num_done, run.num_total, len(run.spec_sha256)) == (6, 6, 64)
    model = services.publish_checkpoint(checkpoint=run.checkpoints.get(is_final=True), name="Tiny")
    conversation = [{"role": "user", "content": "1 plus 1?"}]
    parameters = SamplingParameters(max_new_tokens=4)
    [(index, texts)] = open_engine(model).sample([conversation], num_completions=2, parameters=parameters)
    assert (index, len(texts)) == (0, 2)


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_run_stops_with_a_checkpoint(factory: Factory) -> None:
    run = tiny.sft_run(factory, **tiny.ENDLESS)
    with in_background(run):
        tiny.wait_for(lambda: run.metrics.filter(kind="step").exists(), run)
        jobs.request_cancel(run)
    run.refresh_from_db()
    assert (run.status, run.failure_kind) == ("cancelled", "")
    checkpoint = run.checkpoints.get()
    assert not checkpoint.is_final
    assert (checkpoint.folder / "model.safetensors").exists()
    assert list(tiny.trainers(run.folder)) == []


@pytest.mark.django_db(transaction=True)
def test_a_killed_process_goes_on_from_its_checkpoint(factory: Factory) -> None:
    run = tiny.sft_run(factory, **{**tiny.ENDLESS, "max_steps": 300, "checkpoint_every": 30})
    with in_background(run):
        process = tiny.wait_for_trainer(run)
        tiny.wait_for(lambda: run.checkpoints.exists(), run)
        os.killpg(process.pid, signal.SIGKILL)
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("finished", 1), tiny.log_of(run)
    assert "Resumed from step-" in (run.folder / "events.jsonl").read_text()
    steps = run.metrics.filter(kind="step").order_by("step").values_list("step", flat=True)
    assert list(steps) == list(range(1, 301))
    assert run.checkpoints.get(is_final=True).step == 300


@pytest.mark.django_db(transaction=True)
def test_two_runs_that_each_want_both_devices_take_turns_and_the_steps_of_one(
    factory: Factory, settings: LazySettings
) -> None:
    settings.CPU_SLOTS = 2
    alone = perform(tiny.sft_run(factory, max_steps=3))
    first, second = (tiny.sft_run(factory, max_steps=3, num_devices=2) for _ in range(2))
    with in_background(first), in_background(second):
        pass
    for run in (first, second):
        run.refresh_from_db()
        assert run.status == "finished", tiny.log_of(run)
        assert losses(run) == pytest.approx(losses(alone), abs=1e-5)


@pytest.mark.django_db(transaction=True)
def test_a_cancelled_run_on_two_devices_stops_with_a_checkpoint(factory: Factory, settings: LazySettings) -> None:
    settings.CPU_SLOTS = 2
    run = tiny.sft_run(factory, **tiny.ENDLESS, num_devices=2)
    with in_background(run):
        tiny.wait_for(lambda: run.metrics.filter(kind="step").exists(), run)
        assert len(list(tiny.trainers(run.folder))) == 2
        jobs.request_cancel(run)
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert not run.checkpoints.get().is_final
    assert list(tiny.trainers(run.folder)) == []


def test_more_devices_than_the_machine_has_are_refused(factory: Factory) -> None:
    run = perform(tiny.sft_run(factory, num_devices=2))
    assert (run.status, run.failure_kind) == ("failed", "devices-missing")
    assert "2 devices are wanted" in run.error


def losses(run: TrainingRun) -> list[float]:
    """The loss of every step."""
    return [row.values["loss"] for row in run.metrics.filter(kind="step").order_by("step")]


@pytest.mark.django_db(transaction=True)
def test_the_training_process_knows_no_secret(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://:hidden-password@broker/0")
    monkeypatch.setenv("OPENAI_API_KEY", "hidden-password")
    run = tiny.sft_run(factory, **tiny.ENDLESS)
    with in_background(run):
        process = tiny.wait_for_trainer(run)
        environment = process.environ()
        jobs.request_cancel(run)
    assert environment["PATH"] == os.environ["PATH"]
    secret = {"DATABASE_URL", "SECRET_KEY", "CELERY_BROKER_URL", "OPENAI_API_KEY", "DJANGO_SETTINGS_MODULE"}
    assert not secret & set(environment)
    everything = "\n".join(environment.values())
    for value in (configured.SECRET_KEY, os.environ["DATABASE_URL"], "hidden-password"):
        assert value not in everything


def test_data_changed_after_the_order_are_a_data_error(factory: Factory) -> None:
    run = tiny.sft_run(factory)
    run_directory.prepare(run)
    with (run.folder / "data.parquet").open("ab") as file:
        file.write(b"one byte more")
    perform(run)
    assert (run.status, run.failure_kind) == ("failed", "data_error")
    assert "data.parquet has SHA-256" in run.error
    assert not run.metrics.exists()


def test_an_unknown_field_in_the_order_is_a_configuration_error(factory: Factory) -> None:
    run = tiny.sft_run(factory)
    run.config["learning_rat"] = 1.0
    run.save(update_fields=["config"])
    perform(run)
    assert (run.status, run.failure_kind) == ("failed", "configuration")
    assert "did you mean learning_rate" in run.error


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """`small_disk(kilobytes)` is a disk of this size."""
    path = tmp_path / "disk"
    path.mkdir()

    def mount(kilobytes: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(path)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("a small disk can only be mounted by root")
        return path

    yield mount
    if path.is_mount():
        subprocess.run(["umount", str(path)], check=True)


def test_a_disk_that_fills_up_is_named_leaves_no_half_checkpoint_and_the_run_goes_on_once_there_is_room(
    factory: Factory, small_disk: Callable[[int], Path], settings: LazySettings
) -> None:
    settings.RUNS_DIR = small_disk(64)
    run = perform(tiny.sft_run(factory, max_steps=2))
    assert (run.status, run.failure_kind) == ("failed", "disk_full")
    assert "Free some space" in run.error
    assert not run.checkpoints.exists()
    assert list((run.folder / "checkpoints").iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=16m", str(settings.RUNS_DIR)], check=True)
    pauses.resume(run)
    perform(run)
    assert (run.status, run.attempt, run.failure_kind, run.error) == ("finished", 2, "", "")
    assert run.checkpoints.get().is_final


def test_a_disk_without_room_for_the_data_is_named_too(
    factory: Factory, small_disk: Callable[[int], Path], settings: LazySettings
) -> None:
    settings.RUNS_DIR = small_disk(4)
    run = perform(tiny.sft_run(factory))
    assert (run.status, run.failure_kind) == ("failed", "disk_full")
    assert not {"spec.json", "spec.tmp", "data.tmp"} & {path.name for path in run.folder.iterdir()}


# Programs that stand in for a training process that misbehaves


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """`trainer(script)` makes a shell script the training process; its working folder is `$3`, the run directory."""

    def use(script: str) -> None:
        path = tmp_path / "trainer"
        path.write_text(f"#!/bin/sh\ncd $3\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return use


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("echo trouble; exit 3", "process-died", "exit code 3"),
        ("exit 143", "stopped", "Resume the run to go on"),
        (
            """echo '{"kind": "not_a_number", "error": "The loss is nan."}' > failure.json; exit 1""",
            "not_a_number",
            "nan",
        ),
    ],
)
def test_an_end_without_success_says_why(
    factory: Factory, trainer: Callable[[str], None], script: str, kind: str, words: str
) -> None:
    trainer(script)
    run = perform(tiny.sft_run(factory))
    assert (run.status, run.failure_kind) == ("failed", kind)
    assert words in run.error
    assert ("trouble" in run.log_tail) == ("trouble" in script)


def test_a_disk_too_full_to_say_so_is_named_all_the_same(
    factory: Factory, trainer: Callable[[str], None], small_disk: Callable[[int], Path], settings: LazySettings
) -> None:
    settings.RUNS_DIR = small_disk(64)
    trainer(": > failure.json; cat /dev/zero > fill; exit 1")
    run = perform(tiny.sft_run(factory))
    assert (run.status, run.failure_kind) == ("failed", "disk_full")


def test_a_process_that_is_always_killed_is_given_up(factory: Factory, trainer: Callable[[str], None]) -> None:
    trainer("echo start; kill -9 $$")
    run = perform(tiny.sft_run(factory))
    assert (run.status, run.failure_kind) == ("failed", "process-died")
    assert "signal 9" in run.error
    assert run.log_tail.count("start\n") == 1 + RETRIES["process-died"]


def test_a_failure_of_an_earlier_attempt_is_forgotten(factory: Factory, trainer: Callable[[str], None]) -> None:
    trainer("test ! -e failure.json")
    run = tiny.sft_run(factory)
    run.folder.mkdir(parents=True)
    (run.folder / "failure.json").write_text('{"kind": "disk_full", "error": "The disk was full."}')
    assert perform(run).status == "finished"


@pytest.mark.django_db(transaction=True)
def test_a_process_deaf_to_sigterm_is_killed_in_the_end(
    factory: Factory, trainer: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 0.2)
    trainer("trap '' TERM; touch deaf; while true; do sleep 0.1; done")
    run = tiny.sft_run(factory)
    with in_background(run):
        tiny.wait_for((run.folder / "deaf").exists, run)
        jobs.request_cancel(run)
    run.refresh_from_db()
    assert run.status == "cancelled"


STALLS = "echo life >> lives; trap '' TERM; while true; do sleep 0.05; done"


@pytest.fixture
def impatient(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.STALL_SECONDS = 1.0
    monkeypatch.setattr(runner, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
def test_a_run_that_gets_nowhere_is_started_again_once(factory: Factory, trainer: Callable[[str], None]) -> None:
    trainer(f"test -e lives && exit 0; {STALLS}")
    run = perform(tiny.sft_run(factory))
    assert (run.status, run.attempt) == ("finished", 1)
    assert "stall (signal 9): going on from the newest checkpoint" in run.log_tail


@pytest.mark.usefixtures("impatient")
def test_a_run_that_gets_nowhere_twice_has_failed_of_it(factory: Factory, trainer: Callable[[str], None]) -> None:
    trainer(STALLS)
    run = perform(tiny.sft_run(factory))
    assert (run.status, run.failure_kind) == ("failed", "stall")
    assert "CONCORD_STALL_SECONDS" in run.error
    assert (run.folder / "lives").read_text() == "life\nlife\n"
    assert list(tiny.trainers(run.folder)) == []


@pytest.mark.usefixtures("impatient")
def test_a_run_whose_events_keep_coming_is_no_stall(factory: Factory, trainer: Callable[[str], None]) -> None:
    event = '{"kind": "log", "at": 0, "message": "still here"}'
    trainer(f"for i in 1 2 3 4 5 6; do echo '{event}' >> events.jsonl; sleep 0.3; done")
    assert perform(tiny.sft_run(factory)).status == "finished"


def test_an_error_that_nobody_foresaw_is_tried_once_more(factory: Factory, trainer: Callable[[str], None]) -> None:
    trainer("""echo life >> lives; echo '{"kind": "unknown", "error": "KeyError: x"}' > failure.json; exit 1""")
    run = perform(tiny.sft_run(factory))
    assert (run.status, run.failure_kind, run.error) == ("failed", "unknown", "KeyError: x")
    assert (run.folder / "lives").read_text() == "life\nlife\n"


def test_a_process_that_the_kernel_ended_for_memory_gets_smaller_forward_passes(
    factory: Factory, trainer: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counters = tmp_path / "vmstat"
    monkeypatch.setattr(endings, "KERNEL_COUNTERS", counters)
    trainer(f"echo life >> lives; echo oom_kill $(wc -l < lives) > {counters}; kill -9 $$")
    run = perform(tiny.sft_run(factory, micro_batch_tokens=1000))
    assert (run.status, run.failure_kind) == ("failed", "host_out_of_memory")
    assert "Forward passes are cut to 500 tokens" in run.log_tail
    assert token_limit(run.folder, configured=1000) == 125


# Pausing


@pytest.mark.django_db(transaction=True)
def test_a_paused_run_frees_its_device_and_ends_with_the_same_bits(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.05)  # it must be asked long before it finishes
    settings = {"num_epochs": 1000, "max_steps": 400, "checkpoint_every": 100}
    whole, paused = tiny.sft_run(factory, **settings), tiny.sft_run(factory, **settings)
    assert perform(whole).status == "finished"
    with in_background(paused):
        tiny.wait_for(lambda: paused.metrics.filter(kind="step").exists(), paused)
        assert Device.objects.exclude(holder_model="").exists()
        pauses.request_pause(paused)
    paused.refresh_from_db()
    assert (paused.status, paused.is_pause_requested, paused.finished_at) == ("paused", False, None), tiny.log_of(
        paused
    )
    assert not Device.objects.exclude(holder_model="").exists()
    assert list(tiny.trainers(paused.folder)) == []
    assert paused.checkpoints.exists()
    pauses.resume(paused)
    assert (perform(paused).status, paused.attempt) == ("finished", 2)
    weights = [run.checkpoints.get(is_final=True).folder / "model.safetensors" for run in (whole, paused)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        ("exit 0", "finished", ""),
        ("cp reason failure.json; exit 1", "failed", "disk_full"),
        ("exit 143", "paused", ""),
        ("kill -9 $$", "paused", ""),
    ],
    ids=["finished", "failed", "saved", "killed"],
)
def test_how_the_process_answers_the_wish_to_pause_decides(
    factory: Factory, trainer: Callable[[str], None], answer: str, status: str, kind: str
) -> None:
    trainer(f"trap '{answer}' TERM; touch ready; while true; do sleep 0.05; done")
    run = tiny.sft_run(factory)
    run.folder.mkdir(parents=True)
    (run.folder / "reason").write_text('{"kind": "disk_full", "error": "Full."}')
    with in_background(run):
        tiny.wait_for((run.folder / "ready").exists, run)
        pauses.request_pause(run)
    run.refresh_from_db()
    assert (run.status, run.failure_kind) == (status, kind)


@pytest.mark.django_db(transaction=True)
def test_a_run_given_to_another_worker_ends_the_whole_process_tree(
    factory: Factory, trainer: Callable[[str], None]
) -> None:
    trainer("sleep 1000 & echo $! > child.tmp; mv child.tmp child; wait")
    run = tiny.sft_run(factory)
    with in_background(run):
        tiny.wait_for((run.folder / "child").exists, run)
        child = psutil.Process(int((run.folder / "child").read_text()))
        TrainingRun.objects.filter(pk=run.pk).update(attempt=2)
    tiny.wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, run)
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("running", 2)


def test_two_workers_never_train_in_one_directory(
    factory: Factory, trainer: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LOCK_SECONDS", 0.0)
    trainer("touch started")
    run = claimed(tiny.sft_run(factory))
    run.folder.mkdir(parents=True)
    with (run.folder / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StaleAttempt, match="still trains"):
            runner.train(run)
    assert not (run.folder / "started").exists()


ORPHAN = """
import fcntl, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
lock = open(sys.argv[3] + "/.lock", "ab")
fcntl.flock(lock, fcntl.LOCK_EX)
open(sys.argv[3] + "/held", "w").close()
time.sleep(600)
"""


def test_an_orphan_that_does_not_end_by_itself_is_killed(
    factory: Factory, trainer: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = claimed(tiny.sft_run(factory))
    run.folder.mkdir(parents=True)
    orphan = [sys.executable, "-c", ORPHAN, "-m", runner.MODULE, str(run.folder)]
    launch = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)"
    subprocess.run([sys.executable, "-c", launch, *orphan], check=True)  # which ends, and leaves it alone
    tiny.wait_for((run.folder / "held").exists, run)
    monkeypatch.setattr(runner, "ORPHAN_SECONDS", 0.0)
    trainer("touch started")
    runner.train(run)
    assert (run.folder / "started").exists()
    tiny.wait_for(lambda: not list(tiny.trainers(run.folder)), run)


def test_torn_lines_and_nul_bytes_in_the_log_do_no_harm(factory: Factory, trainer: Callable[[str], None]) -> None:
    trainer(r"printf 'a\000b\377\n'")
    run = perform(tiny.sft_run(factory))
    assert (run.status, run.log_tail) == ("finished", "ab\ufffd\n")
