"""From a training process's events to rows. Repeated steps of a resumed run replace the earlier numbers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from core import jobs
from training.models import Checkpoint, Metric, SampleText, TrainingRun

Event = dict[str, Any]


def record(run: TrainingRun, events: Sequence[Event], *, log_tail: str) -> None:
    """Store the events, provided that this attempt still owns the run. Raises `StaleAttempt` or `JobCancelled`."""
    steps = [event for event in events if event["kind"] == Metric.Kind.STEP]
    with transaction.atomic():
        _store_metrics(run, events)
        _store_samples(run, [event for event in events if event["kind"] == "sample"])
        _store_checkpoints(run, [event for event in events if event["kind"] == "checkpoint"])
        last = steps[-1] if steps else None
        jobs.renew(
            run,
            num_done=int(last["step"]) if last else None,
            num_total=int(last["num_steps"]) if last else None,
            log_tail=log_tail,
        )
    jobs.beat(run)


def _store_metrics(run: TrainingRun, events: Sequence[Event]) -> None:
    rows = {
        (event["kind"], event["step"]): Metric(
            run=run,
            kind=event["kind"],
            step=event["step"],
            values=event["values"],
            recorded_at=datetime.fromtimestamp(event["at"], tz=UTC),
        )
        for event in events
        if event["kind"] in Metric.Kind.values
    }
    Metric.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["run", "kind", "step"],
        update_fields=["values", "recorded_at"],
    )


def _store_samples(run: TrainingRun, events: Sequence[Event]) -> None:
    rows = {
        (event["step"], event["prompt"]): SampleText(
            run=run, step=event["step"], prompt=_storable(event["prompt"]), text=_storable(event["text"])
        )
        for event in events
    }
    SampleText.objects.bulk_create(
        rows.values(), update_conflicts=True, unique_fields=["run", "step", "prompt"], update_fields=["text"]
    )


def _store_checkpoints(run: TrainingRun, events: Sequence[Event]) -> None:
    rows = {
        event["step"]: Checkpoint(
            run=run,
            step=event["step"],
            path=event["path"],
            manifest_sha256=event["manifest_sha256"],
            is_final=event["is_final"],
        )
        for event in events
    }
    if not rows:
        return
    if not run.checkpoints.filter(step__gte=max(rows)).exists():
        jobs.forgive_losses(run)
    Checkpoint.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["run", "step"],
        update_fields=["path", "manifest_sha256", "is_final"],
    )
    _forget_pruned(run)


def _forget_pruned(run: TrainingRun) -> None:
    """The process keeps its newest checkpoints only; a row without its folder promises weights that are gone."""
    for checkpoint in run.checkpoints.filter(is_final=False, language_model=None):
        if not checkpoint.folder.exists():
            checkpoint.delete()


def _storable(text: str) -> str:
    """PostgreSQL cannot hold NUL characters or lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
