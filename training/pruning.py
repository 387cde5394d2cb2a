"""Old runs give their disk back: checkpoints that nobody published, and caches. What became a model always stays."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db.models import QuerySet

from generation.models import LanguageModel
from training.algorithms.checkpoints import remove
from training.algorithms.retention import size_of
from training.models import Checkpoint, TrainingRun

CACHE = "cache"  # of a run directory: made again if a run needs it


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What can be removed of a run, or has been."""

    run: TrainingRun
    num_checkpoints: int
    num_bytes: int


def old_runs(*, ended_before: datetime) -> QuerySet[TrainingRun]:
    """Runs that ended before this moment, the oldest first."""
    found: QuerySet[TrainingRun] = (
        TrainingRun.objects.exclude(status__in=TrainingRun.UNENDED)
        .filter(finished_at__lt=ended_before)
        .order_by("finished_at", "pk")
    )
    return found


def prune_run(run: TrainingRun, *, with_last: bool = False, is_dry: bool = False) -> Pruned:
    """Remove a run's prunable checkpoints and its cache. Its metrics, log and data stay.

    The last checkpoint stays too, so that it can still be published or resumed from, unless `with_last`. A run that is
    at work again is left alone.
    """
    with _at_rest(run) as is_at_rest:
        doomed = prunable(run, with_last=with_last) if is_at_rest else []
        folders = [checkpoint.folder for checkpoint in doomed]
        if is_at_rest:
            folders.append(run.folder / CACHE)
        pruned = Pruned(run=run, num_checkpoints=len(doomed), num_bytes=sum(map(size_of, folders)))
        if not is_dry:
            _remove(doomed, folders)
    return pruned


def prunable(run: TrainingRun, *, with_last: bool) -> list[Checkpoint]:
    """Checkpoints that became no model, by whatever way; evaluations know checkpoints only as models."""
    used = set(LanguageModel.objects.filter(location__startswith=str(run.folder)).values_list("location", flat=True))
    *older, last = list(run.checkpoints.order_by("step")) or [None]
    candidates = [*older, last] if with_last else older
    return [one for one in candidates if one and one.language_model_id is None and str(one.folder) not in used]


def _remove(checkpoints: list[Checkpoint], folders: list[Path]) -> None:
    for folder in folders:
        if folder.name == CACHE:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            remove(folder)
    for checkpoint in checkpoints:
        checkpoint.delete()


@contextmanager
def _at_rest(run: TrainingRun) -> Iterator[bool]:
    """Whether no process works in the run directory; while this lasts none can begin to."""
    if not run.folder.is_dir():
        yield False
        return
    with (run.folder / ".lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            run.refresh_from_db(fields=["status"])
            yield run.has_ended
