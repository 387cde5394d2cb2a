"""How a pipeline run moves: each call of `advance` looks at the current step and does what can be done now.

Nothing waits inside: jobs run on their own queues, and beat rings `advance` again. The row is locked while somebody
advances it, so that two rings do one thing.
"""

from contextlib import suppress
from datetime import datetime

from django.apps import apps
from django.db import transaction
from django.utils import timezone

from accounts.models import User, Workspace
from core import jobs
from core.errors import ConcordError, IllegalTransition
from core.models import Job
from pipeline.candidate_steps import check_sizes
from pipeline.context import Context
from pipeline.models import PipelineRun, PipelineStep
from pipeline.options import PipelineOptions
from pipeline.steps import StepKind, steps_of
from pipeline.training_steps import check_configs

Status = PipelineStep.Status


class StepFailed(ConcordError):
    """A step's job failed or was cancelled; the message is the job's own."""

    title = "A step of the pipeline failed"


def start_pipeline(
    *, workspace: Workspace, options: PipelineOptions, name: str = "", user: User | None = None
) -> PipelineRun:
    """A pipeline run with all its steps waiting; beat advances it. Raises `OptionsInvalid`."""
    check_sizes(options)
    check_configs(options)
    with transaction.atomic():
        run = PipelineRun.objects.create(workspace=workspace, name=name or "pipeline", options=options.to_json())
        if not name:
            run.name = f"{options.kind} {run.pk}"
            run.save(update_fields=["name"])
        PipelineStep.objects.bulk_create(
            PipelineStep(pipeline_run=run, number=number, key=kind.key, title=kind.title)
            for number, kind in enumerate(steps_of(options), start=1)
        )
    return run


def advance(*, pk: int, now: datetime | None = None) -> bool:
    """Do what can be done now; False once the run has ended or somebody else is advancing it."""
    now = now or timezone.now()
    with transaction.atomic():
        run = (
            PipelineRun.objects.select_for_update(skip_locked=True)
            .filter(pk=pk, status=PipelineRun.Status.RUNNING)
            .first()
        )
        if run is None:
            return False
        error = _advance_steps(run, now)
        run.advanced_at = now
        run.save(update_fields=["advanced_at"])
    if error is not None:
        raise error
    return bool(run.status == PipelineRun.Status.RUNNING)


def retry_pipeline(*, pipeline_run: PipelineRun) -> None:
    """Try the failed step again with new jobs. Raises `IllegalTransition` unless the run has failed."""
    with transaction.atomic():
        moved = PipelineRun.objects.filter(pk=pipeline_run.pk, status=PipelineRun.Status.FAILED).update(
            status=PipelineRun.Status.RUNNING, finished_at=None
        )
        if not moved:
            raise IllegalTransition(f"{pipeline_run} has not failed; there is nothing to try again.")
        pipeline_run.steps.filter(status=Status.FAILED).update(
            status=Status.WAITING, jobs=[], outputs={}, error="", finished_at=None
        )


def cancel_pipeline(*, pipeline_run: PipelineRun) -> None:
    """Stop after the running jobs have been asked to stop. Raises `IllegalTransition` once it has ended."""
    with transaction.atomic():
        run = PipelineRun.objects.select_for_update().get(pk=pipeline_run.pk)
        if run.status != PipelineRun.Status.RUNNING:
            raise IllegalTransition(f"{run} has already ended and cannot be cancelled.")
        now = timezone.now()
        for step in run.steps.filter(status=Status.RUNNING):
            for job in jobs_of(step):
                with suppress(IllegalTransition):  # one that has ended, perhaps at this moment
                    jobs.request_cancel(job)
            step.status, step.error, step.finished_at = Status.FAILED, "The pipeline was cancelled.", now
            step.save(update_fields=["status", "error", "finished_at"])
        _end(run, PipelineRun.Status.CANCELLED, now)


def jobs_of(step: PipelineStep) -> list[Job]:
    """The jobs that the step started, as they stand now."""
    return [apps.get_model(label)._default_manager.get(pk=pk) for label, pk in step.jobs]


def _advance_steps(run: PipelineRun, now: datetime) -> Exception | None:
    """Finish and start steps until one has to wait. Returns the error that ended the run, if one did."""
    options = PipelineOptions.from_json(run.options)
    kinds = {kind.key: kind for kind in steps_of(options)}
    known: dict[str, int] = {}
    for step in run.steps.order_by("number"):
        if step.status != Status.FINISHED:
            context = Context(run=run, options=options, known=dict(known), made=dict(step.outputs))
            try:
                with transaction.atomic():  # a step that fails leaves nothing half-done
                    is_done = _advance_step(step, kinds[step.key], context, now)
            except Exception as error:  # stored on the row, and raised again after the commit
                _fail(run, step, error, now)
                return error
            if not is_done:
                return None
        known.update(step.outputs)
    _end(run, PipelineRun.Status.FINISHED, now)
    return None


def _advance_step(step: PipelineStep, kind: StepKind, context: Context, now: datetime) -> bool:
    """Whether the step is finished."""
    if step.status == Status.WAITING:
        started = kind.start(context)
        step.jobs = [[job._meta.label_lower, job.pk] for job in started]
        step.status, step.started_at = Status.RUNNING, now
        step.outputs = context.made
    if not _have_finished(jobs_of(step)):
        step.save()
        return False
    step.summary = kind.conclude(context)[:400]
    step.status, step.finished_at, step.outputs = Status.FINISHED, now, context.made
    step.save()
    return True


def _have_finished(started: list[Job]) -> bool:
    for job in started:
        if job.status == Job.Status.FAILED:
            raise StepFailed(f"{job}: {job.error}")
        if job.status == Job.Status.CANCELLED:
            raise StepFailed(f"{job} was cancelled.")
    return all(job.status == Job.Status.FINISHED for job in started)


def _fail(run: PipelineRun, step: PipelineStep, error: Exception, now: datetime) -> None:
    words = str(error) if isinstance(error, ConcordError) else f"{type(error).__name__}: {error}"
    PipelineStep.objects.filter(pk=step.pk).update(status=Status.FAILED, error=words, finished_at=now)
    _end(run, PipelineRun.Status.FAILED, now)


def _end(run: PipelineRun, status: PipelineRun.Status, now: datetime) -> None:
    run.status, run.finished_at = status, now
    run.save(update_fields=["status", "finished_at"])
