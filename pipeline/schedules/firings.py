"""How a firing moves: asked, it is recorded; running, each call of `advance` does what can be done now.

Like a pipeline it waits in no process. Each call is one transaction on locked rows, so that a killed worker leaves
either the state before or the state after, and two workers do one thing. One firing of a schedule runs at a time: the
schedule's row is locked while it is decided, and a partial unique index holds it even against mistakes.
"""

from __future__ import annotations

from contextlib import suppress

from django.db import OperationalError, transaction
from django.utils import timezone

from accounts.models import User
from core import jobs
from core.errors import ConcordError, IllegalTransition
from core.models import Job
from pipeline.models import ScheduleFiring, TrainingSchedule
from pipeline.schedules import conditions, new_judgments, plan, promotion, steps
from pipeline.schedules.new_judgments import Counted
from pipeline.services import StepFailed

Asked = ScheduleFiring.Trigger
Status = ScheduleFiring.Status


def fire(*, schedule_id: int, asked: str, user: User | None = None) -> ScheduleFiring | None:
    """Record that the schedule was asked to fire and, if nothing speaks against it, start its first step.

    None where there is nothing to record: it is paused and nobody asked by hand, or too few judgments are new for the
    count, which looks every minute.
    """
    with transaction.atomic():
        schedule = TrainingSchedule.objects.select_for_update(of=("self",)).get(pk=schedule_id)
        if not schedule.is_active and asked != Asked.HAND:
            return None
        counted = new_judgments.count(schedule)
        running = schedule.firings.filter(status=Status.RUNNING).first()
        said = conditions.answer(schedule, asked, counted, running)
        if asked == Asked.COUNT and not said.fires and not _is_news(schedule, counted, running):
            return None
        firing = _record(schedule, asked, said, counted, user)
        if said.fires:
            _advance(firing)
    return firing


def advance(*, pk: int) -> None:
    """Do what can be done now for a running firing, unless somebody else is at it."""
    with transaction.atomic():
        rows = ScheduleFiring.objects.select_for_update(skip_locked=True, of=("self",))
        firing = rows.select_related("schedule__workspace").filter(pk=pk, status=Status.RUNNING).first()
        if firing is not None:
            _advance(firing)


def cancel(*, firing: ScheduleFiring) -> None:
    """Stop it and the job that it waits for. Raises `IllegalTransition` unless it runs."""
    with transaction.atomic():
        locked = ScheduleFiring.objects.select_for_update(of=("self",)).get(pk=firing.pk)
        if locked.status != Status.RUNNING:
            raise IllegalTransition(f"{locked} has already ended and cannot be cancelled.")
        job = current_job(locked)
        if job is not None:
            with suppress(IllegalTransition):  # one that ends at this moment
                jobs.request_cancel(job)
        _end(locked, Status.CANCELLED)


def retry(*, firing: ScheduleFiring) -> None:
    """Go on with a failed firing from the step that failed, with a new job and the settings that it began with.

    What earlier steps made is kept. Raises `IllegalTransition` unless it is the schedule's last one and failed.
    """
    with transaction.atomic():
        schedule = TrainingSchedule.objects.select_for_update(of=("self",)).get(pk=firing.schedule_id)
        locked = ScheduleFiring.objects.select_for_update(of=("self",)).get(pk=firing.pk)
        if locked.status != Status.FAILED:
            raise IllegalTransition(f"{locked} has not failed; there is nothing to try again.")
        later = schedule.firings.filter(number__gt=locked.number).exclude(status=Status.SKIPPED).first()
        if later is not None:
            raise IllegalTransition(f"Firing {later.number} came after it; let the schedule fire anew instead.")
        _forget_failed_job(locked)
        locked.status, locked.error, locked.finished_at = Status.RUNNING, "", None
        locked.save()
        _advance(locked)


def current_job(firing: ScheduleFiring) -> Job | None:
    """The job of the step that a firing has reached."""
    column = next((kind.column for kind in steps.STEPS if kind.step == firing.step), None)
    job: Job | None = getattr(firing, column) if column else None
    return job


def _forget_failed_job(firing: ScheduleFiring) -> None:
    """Let the step start another one; the failed job's own row and page stay."""
    job = current_job(firing)
    if job is not None and job.status in {Job.Status.FAILED, Job.Status.CANCELLED}:
        column = next(kind.column for kind in steps.STEPS if kind.step == firing.step)
        setattr(firing, column, None)


def _is_news(schedule: TrainingSchedule, counted: Counted, running: ScheduleFiring | None) -> bool:
    """Whether the judgments suffice and only a running firing is in their way; recorded once for each such firing."""
    if running is None or counted.num_since_start < conditions.wanted_by(schedule, Asked.COUNT):
        return False
    return not schedule.firings.filter(trigger=Asked.COUNT, number__gt=running.number).exists()


def _record(
    schedule: TrainingSchedule, asked: str, said: conditions.Answer, counted: Counted, user: User | None
) -> ScheduleFiring:
    last = schedule.firings.order_by("-number").values_list("number", flat=True).first()
    return ScheduleFiring.objects.create(
        schedule=schedule,
        number=(last or 0) + 1,
        trigger=asked,
        status=Status.RUNNING if said.fires else Status.SKIPPED,
        reason=said.reason,
        num_new_judgments=counted.num_new,
        judgments_seen=counted.seen,
        plan=plan.copy_of(schedule),
        baseline=schedule.current_model,
        created_by=user,
        finished_at=None if said.fires else timezone.now(),
    )


def _advance(firing: ScheduleFiring) -> None:
    """Start steps until one has to wait; a step that cannot start, or whose job failed, ends the firing."""
    try:
        with transaction.atomic():  # a step that fails leaves nothing half-done
            if _steps_have_finished(firing):
                _decide(firing)
    except OperationalError:  # the database stumbled, not the step: the next call does it again
        raise
    except Exception as error:  # stored on the row: people and the next firing read it there
        firing.refresh_from_db()
        known = isinstance(error, ConcordError)
        firing.error = str(error) if known else f"{type(error).__name__}: {error}"
        _end(firing, Status.FAILED)


def _steps_have_finished(firing: ScheduleFiring) -> bool:
    for kind in steps.STEPS:
        job: Job | None = getattr(firing, kind.column)
        if job is None:
            firing.step = kind.step
            job = kind.start(firing)
            setattr(firing, kind.column, job)
            firing.save(update_fields=["step", kind.column, "candidate"])
        if not _has_finished(job):
            return False
    return True


def _has_finished(job: Job) -> bool:
    if job.status == Job.Status.FAILED:
        raise StepFailed(f"The {job._meta.verbose_name} “{job}” failed: {job.error}")
    if job.status == Job.Status.CANCELLED:
        raise StepFailed(f"The {job._meta.verbose_name} “{job}” was cancelled.")
    return bool(job.status == Job.Status.FINISHED)


def _decide(firing: ScheduleFiring) -> None:
    """Compare the figures with what the schedule asks for, and replace its current model by a better one."""
    figures = steps.figures_of(firing)
    firing.win_rate, firing.low, firing.high = figures.win_rate, figures.low, figures.high
    firing.num_prompts = figures.num_prompts
    verdict = promotion.decide(figures, min_margin=firing.plan["min_margin"], min_prompts=firing.plan["min_prompts"])
    firing.decision = verdict.words
    firing.schedule = TrainingSchedule.objects.select_for_update(of=("self",)).get(pk=firing.schedule_id)
    status = Status.PROMOTED if verdict.is_better else Status.KEPT
    if verdict.is_better and firing.schedule.current_model_id != firing.baseline_id:
        firing.decision += " But the current model was changed meanwhile, and this one was not compared with it."
        status = Status.KEPT
    if status == Status.PROMOTED:
        steps.promote(firing)
    _end(firing, status)


def _end(firing: ScheduleFiring, status: Status) -> None:
    firing.status, firing.finished_at = status, timezone.now()
    firing.save()
