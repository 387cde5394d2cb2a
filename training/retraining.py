"""Training again without some annotators: the same campaigns, rules, moment, configuration, seed and parents."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from annotation import dataset_trace
from annotation import runner as annotation_runner
from annotation import services as annotation
from annotation.models import Annotator, Dataset
from core import jobs
from core.errors import ConcordError
from core.jobs import JobFailed
from training import services
from training.dataset_changes import changes
from training.models import Retraining, TrainingRun

POLL_SECONDS = 0.5
NAME_CHARACTERS = 120


class RetrainingRefused(ConcordError):
    """A run cannot be trained again without these annotators."""

    status = 422
    title = "This run cannot be trained again like that"


def start_retraining(
    *, run: TrainingRun, annotators: Sequence[Annotator], name: str = "", user: User | None = None
) -> Retraining:
    """Queue it. Raises `RetrainingRefused` naming what is in the way."""
    _check_run(run)
    _check_annotators(run, annotators)
    wanted = name or free_name(TrainingRun, run, f"{run.name} without {_named(annotators)}")
    with transaction.atomic():
        retraining = Retraining.objects.create(workspace=run.workspace, origin=run, name=wanted, created_by=user)
        retraining.excluded.set(annotators)
        jobs.enqueue(retraining)
    return retraining


def retrain(retraining: Retraining) -> None:
    """Freeze, compare, start the run. Each part is done once, however often this is called."""
    origin = retraining.origin
    assert origin.dataset is not None  # noqa: S101 -- the service refuses runs without one
    dataset = retraining.dataset or _start_freeze(retraining)
    _finish_freeze(retraining, dataset)
    jobs.beat(retraining, num_done=1, num_total=2)
    if retraining.run is None:
        _start_run(retraining, dataset, changes(origin.dataset, dataset))
    jobs.beat(retraining, num_done=2, num_total=2)


def free_name(model: Any, run: TrainingRun, name: str) -> str:
    """The name, with a number behind it if the workspace has it already."""
    taken = set(model.objects.filter(workspace=run.workspace).values_list("name", flat=True))
    base = name[: NAME_CHARACTERS - 5]
    numbered = (f"{base} ({number})" for number in range(2, len(taken) + 3))
    return base if base not in taken else next(one for one in numbered if one not in taken)


def _check_run(run: TrainingRun) -> None:
    if run.dataset is None:
        raise RetrainingRefused(
            f"{run} trained on prompts, which nobody judged. Train its reward model again without the annotators, "
            "then start PPO with the new one."
        )
    if run.status != TrainingRun.Status.FINISHED:
        raise RetrainingRefused(f"{run} is {run.status}: only a finished run can be compared with a new one.")
    if run.dataset.prompt_set is not None:
        raise RetrainingRefused(f"{run.dataset} holds written replies of a prompt set, on which nobody decided.")
    if consensus := run.dataset.filter.get("consensus"):
        raise RetrainingRefused(
            f"{run.dataset} was decided by the consensus {consensus!r}, which rests on everybody's judgments together. "
            "Freeze a dataset by votes, train on it, and leave annotators out of that."
        )


def _check_annotators(run: TrainingRun, annotators: Sequence[Annotator]) -> None:
    if not annotators:
        raise RetrainingRefused("Nobody was chosen: name at least one annotator to leave out.")
    assert run.dataset is not None  # noqa: S101 -- checked before
    present = {share.annotator.pk for share in dataset_trace.shares(run.dataset)}
    chosen = {annotator.pk for annotator in annotators}
    if strangers := [str(annotator) for annotator in annotators if annotator.pk not in present]:
        raise RetrainingRefused(f"No row of {run.dataset} rests on a judgment of {strangers[0]}: nothing would change.")
    if chosen == present:
        raise RetrainingRefused(f"Nothing is left: every row of {run.dataset} rests on the chosen annotators alone.")
    under_way = run.retrainings.filter(status__in=Retraining.UNENDED).prefetch_related("excluded")
    if any({annotator.pk for annotator in one.excluded.all()} == chosen for one in under_way):
        raise RetrainingRefused(f"{run} is already being trained again without {_named(annotators)}.")


def _start_freeze(retraining: Retraining) -> Dataset:
    origin = retraining.origin.dataset
    assert origin is not None  # noqa: S101 -- checked before
    excluded = sorted(
        {*origin.filter.get("excluded_annotators", []), *retraining.excluded.values_list("pk", flat=True)}
    )
    moment = origin.filter.get("judged_until") or (origin.started_at or timezone.now()).isoformat()
    with transaction.atomic():
        jobs.renew(retraining)
        retraining.dataset = annotation.start_freeze(
            workspace=retraining.workspace,
            name=free_name(Dataset, retraining.origin, f"{origin.name} without {_named(retraining.excluded.all())}"),
            kind=origin.kind,
            campaigns=list(origin.campaigns.all()),
            filter={**origin.filter, "excluded_annotators": excluded, "judged_until": moment},
            user=retraining.created_by,
        )
        retraining.save(update_fields=["dataset"])
    return retraining.dataset


def _finish_freeze(retraining: Retraining, dataset: Dataset) -> None:
    """Freeze here unless another worker was faster; then wait for it. Raises `JobFailed` in the dataset's words."""
    if dataset.status == Dataset.Status.QUEUED:
        try:
            jobs.perform(Dataset, dataset.pk, annotation_runner.freeze)
        except ConcordError as error:
            raise JobFailed(error.detail, failure_kind="data_error") from error
    dataset.refresh_from_db()
    while not dataset.has_ended:
        jobs.beat(retraining)
        time.sleep(POLL_SECONDS)
        dataset.refresh_from_db()
    if dataset.status != Dataset.Status.FINISHED:
        raise JobFailed(f"{dataset} is {dataset.status}. {dataset.error}".strip(), failure_kind="data_error")


def _start_run(retraining: Retraining, dataset: Dataset, changed: dict[str, int]) -> None:
    origin = retraining.origin
    with transaction.atomic():
        jobs.renew(retraining)
        retraining.changes = changed
        retraining.run = services.start_training_run(
            workspace=origin.workspace,
            name=retraining.name,
            algorithm=origin.algorithm,
            config=origin.config,
            seed=origin.seed,
            dataset=dataset,
            init_model=origin.init_model,
            user=retraining.created_by,
        )
        retraining.save(update_fields=["changes", "run"])


def _named(annotators: Any) -> str:
    names = sorted(annotator.name for annotator in annotators)
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
