"""The soak through a real installation: PostgreSQL, a Celery worker and beat, in a folder of their own."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from benchmarks.labeling import prepare
from benchmarks.soak.kills import ROOT, Tally, note, until, wait_for
from benchmarks.soak.runs import config_of, rows_for

if TYPE_CHECKING:
    from training.models import TrainingRun

STALE_SECONDS: Final = 4.0  # a dead worker's job is given away after this
LIVES_OF_A_WORKER: Final = 4  # every so many kills the worker is killed instead of the training process
STEPS_PER_KILL: Final = 30  # a process gets that much done before its kill, and what it lost is repeated
POLL_SECONDS: Final = 0.01
_PREFERENCES: Final = {"votes_chosen": 2, "votes_rejected": 0, "votes_tied": 0, "p_chosen": 1.0, "strength": None}
_JUDGED: Final = {"judgment_ids": [1], "annotators": ["soak"], "is_adjudicated": False, "confidence": None}


def soak_worker(folder: Path, algorithm: str, num_kills: int, seed: int) -> tuple[Tally, Path, Path]:
    """Two jobs of an algorithm, one of them disturbed: what was done, and their run directories."""
    if algorithm == "ppo" or "DJANGO_SETTINGS_MODULE" in os.environ:
        raise SystemExit("--through worker takes one algorithm that trains on pairs or demonstrations.")
    os.environ["JOB_STALE_SECONDS"] = str(STALE_SECONDS)
    (folder / "var").mkdir()
    prepare(folder / "var")
    tally, rng = Tally(), random.Random(seed)
    with celery("beat"), workers() as crew:
        whole, killed = (enqueued(folder, algorithm, name, num_kills) for name in ("whole", "killed"))
        crew.hire()
        until(lambda: has_ended(whole), crew.is_dead)
        while tally.num_kills < num_kills and not has_ended(killed):
            disturb(killed, crew, rng, tally)
        until(lambda: has_ended(killed), crew.is_dead)
    for run in (whole, killed):
        run.refresh_from_db()
        if run.status != "finished":
            raise RuntimeError(f"{run.name} is {run.status}: {run.failure_kind} {run.error}\n{run.log_tail}")
    return tally, whole.folder, killed.folder


class Crew:
    """The worker, and the one that comes after it."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None

    def hire(self) -> None:
        """Start a worker."""
        self.process = start_celery("worker", "-Q", "light,gpu", "-P", "solo", "-n", f"soak{time.time()}@%h")

    def kill(self) -> None:
        """SIGKILL, and the next one is hired."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.hire()

    def is_dead(self) -> bool:
        """Never; raises `RuntimeError` with its log if the worker has ended, which nobody asked it to."""
        if self.process is None or self.process.poll() is not None:
            log = Path(os.environ["CONCORD_VAR_DIR"], "celery.log").read_text(errors="replace")
            raise RuntimeError(f"the worker has ended:\n{log[-2000:]}")
        return False


@contextmanager
def workers() -> Iterator[Crew]:
    """A crew that is sent home at the end."""
    crew = Crew()
    try:
        yield crew
    finally:
        if crew.process is not None:
            crew.process.send_signal(signal.SIGQUIT)
            with suppress(subprocess.TimeoutExpired):
                crew.process.wait(20)
            crew.process.kill()


@contextmanager
def celery(*arguments: str) -> Iterator[None]:
    """A Celery process for as long as this lasts."""
    process = start_celery(*arguments, "--pidfile=")
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()


def start_celery(*arguments: str) -> subprocess.Popen[bytes]:
    """A Celery process on this installation; its log is beside the runs."""
    command = [sys.executable, "-m", "celery", "-A", "config.celery", *arguments]
    with (Path(os.environ["CONCORD_VAR_DIR"]) / "celery.log").open("ab") as log:
        return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def disturb(run: TrainingRun, crew: Crew, rng: random.Random, tally: Tally) -> None:
    """Kill the training process at a random moment, or the worker while it trains."""
    until(lambda: any(trainers(run.folder)) or has_ended(run), crew.is_dead)
    trainer = next(trainers(run.folder), None)
    if trainer is None:
        return
    moment = rng.choice(("step", "save", "save"))
    wait_for(moment, run.folder, rng, has_ended=lambda: not trainer.is_running() or has_ended(run))
    if has_ended(run) or not trainer.is_running():
        return
    if tally.num_kills % LIVES_OF_A_WORKER == LIVES_OF_A_WORKER - 1:
        crew.kill()
        moment = "worker"
    else:
        with suppress(ProcessLookupError):
            os.killpg(trainer.pid, signal.SIGKILL)
    with suppress(psutil.TimeoutExpired):
        trainer.wait(30)
    note(tally, moment, run.folder)


def trainers(folder: Path) -> Iterator[psutil.Process]:
    """The living training processes of a run directory."""
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        is_trainer = str(folder) in command and "training.algorithms.run" in command
        if is_trainer and process.info["status"] != psutil.STATUS_ZOMBIE:
            yield process


def has_ended(run: TrainingRun) -> bool:
    """Whether the job has come to its end."""
    time.sleep(POLL_SECONDS)
    run.refresh_from_db(fields=["status"])
    return run.has_ended


def enqueued(folder: Path, algorithm: str, name: str, num_kills: int) -> TrainingRun:
    """A queued training run on a frozen dataset of this installation."""
    from accounts.models import Workspace
    from generation import services as generation
    from generation.models import LanguageModel
    from training import services

    workspace, _ = Workspace.objects.get_or_create(name="Soak")
    model = LanguageModel.objects.filter(workspace=workspace, name="policy").first()
    if model is None and algorithm != "sft":
        location = str(folder / "policy")
        model = generation.register_model(workspace=workspace, name="policy", source="folder", location=location)
    return services.start_training_run(
        workspace=workspace,
        name=name,
        algorithm=algorithm,
        config=config_of(algorithm, num_steps=STEPS_PER_KILL * num_kills),
        dataset=frozen_dataset(workspace, algorithm),
        init_model=model,
    )


def frozen_dataset(workspace: Any, algorithm: str) -> Any:
    """The soak's rows as a dataset, written as freezing writes one."""
    from annotation import export
    from annotation.models import Dataset

    kind = Dataset.Kind.DEMONSTRATIONS if algorithm == "sft" else Dataset.Kind.PREFERENCES
    dataset, is_new = Dataset.objects.get_or_create(workspace=workspace, name=f"rows of {kind}", kind=kind)
    if is_new:
        schema = export.DEMONSTRATION_SCHEMA if algorithm == "sft" else export.PREFERENCE_SCHEMA
        rows = [dataset_row(row, number) for number, row in enumerate(rows_for(algorithm), start=1)]
        rows = [{name: row.get(name) for name in schema.names} for row in rows]
        dataset.sha256, dataset.jsonl_sha256 = export.write_files(dataset.folder, rows, schema)
        dataset.status, dataset.num_rows = Dataset.Status.FINISHED, len(rows)
        dataset.save()
    return dataset


def dataset_row(row: dict[str, Any], number: int) -> dict[str, Any]:
    """A row of data.parquet with the columns that a frozen dataset has besides."""
    ids = {"chosen_id": 2 * number, "rejected_id": 2 * number + 1, "completion_id": number}
    return {**row, **_PREFERENCES, **_JUDGED, **ids, "group_id": json.dumps(number)}
