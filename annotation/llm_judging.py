"""The runs of judges with a language model: lease, plan, ask, read, ask again, combine, submit; a chunk at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from annotation import answers, judge_routing, judging, queue, rationales
from annotation.call_logs import Asked, CampaignLog
from annotation.judge_calls import Asker, opened, outcome_of
from annotation.judge_items import Work, work_on_comparisons, work_on_slots
from annotation.judges import spec_of
from annotation.judging import CannotJudge, Judged, JudgeSpec, Outcome, Verdict, injection
from annotation.models import Annotator, Enrolment, JudgeVerdict, JudgeVersion, JudgingRun, Judgment, Skip, Slot
from annotation.question import Question
from core import jobs
from core.jobs import JobFailed

CHUNK = 128  # comparisons that are judged and submitted together: two orders of half of them keep 64 requests in flight
Outcomes = list[tuple[judging.JudgeCall, Outcome]]


def answer_slots(run: JudgingRun, version: JudgeVersion) -> None:
    """Answer every slot that the judge can get. What it has no verdict on goes back with the reason."""
    judge_routing.prepare(run)
    num_open = run.campaign.comparisons.exclude(judgments__annotator=run.annotator).count()
    jobs.beat(run, num_done=0, num_total=num_open)
    with opened(version, server_for=run if run.uses_managed_server else None) as engine:
        asker = Asker(CampaignLog(run), version, engine)
        while slots := _claimed(run):
            work = work_on_slots(slots)
            judged = judge_all(asker, spec_of(version), work, on_batch=lambda held=slots: _renew(run, held))
            store_answers(run, version, work, judged)
    jobs.beat(run, num_total=run.num_done)


def calibrate(run: JudgingRun, version: JudgeVersion) -> None:
    """Judge comparisons that people have judged, without taking slots; the oldest first, those done are passed over."""
    question = Question.from_json(run.campaign.question)
    wanted = judged_by_people(run)
    done = set(run.verdicts.values_list("comparison_id", flat=True))
    work = work_on_comparisons(wanted, question=question, question_version=run.campaign.question_version)
    missing = [one for one in work if one.comparison not in done]
    jobs.beat(run, num_done=len(done), num_total=len(work))
    with opened(version, server_for=run if run.uses_managed_server else None) as engine:
        asker = Asker(CampaignLog(run), version, engine)
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            judged = judge_all(asker, spec_of(version), chunk)
            with transaction.atomic():
                jobs.renew(run, num_done=run.num_done + len(chunk))
                JudgeVerdict.objects.bulk_create(verdict_of(run, version, *each) for each in _pairs(chunk, judged))
            jobs.beat(run)


def attack(run: JudgingRun, version: JudgeVersion) -> None:
    """Measure how often texts inside replies steer the judge; the report is kept with the run."""
    question = Question.from_json(run.campaign.question)
    asked = None if question.kind != "pairwise" else question
    trials = injection.trials(asked)
    controls = {trial.control.fingerprint: trial.control for trial in trials}
    items = [*controls.values(), *(trial.attacked for trial in trials)]
    jobs.beat(run, num_done=0, num_total=len(items))
    with opened(version, server_for=run if run.uses_managed_server else None) as engine:
        judged = judge_all(
            Asker(CampaignLog(run), version, engine),
            spec_of(version),
            [Work(comparison=None, item=item) for item in items],
        )
    by_control = dict(zip(controls, judged, strict=False))
    results = [
        injection.TrialResult(trial=trial, control=by_control[trial.control.fingerprint], attacked=attacked)
        for trial, attacked in zip(trials, judged[len(controls) :], strict=True)
    ]
    run.report = asdict(injection.report(results))
    with transaction.atomic():
        jobs.renew(run, num_done=len(items))
        run.save(update_fields=["report"])


def judged_by_people(run: JudgingRun) -> list[int]:
    """Comparisons with a main judgment of somebody who is no judge."""
    rows = Judgment.objects.current().filter(comparison__campaign=run.campaign, purpose=Slot.Purpose.MAIN)
    people = rows.filter(annotator__in=Annotator.objects.filter(workspace=run.campaign.workspace_id).people())
    found = people.order_by("comparison_id").values_list("comparison_id", flat=True).distinct()
    return list(found[: run.max_comparisons])


def judge_all(asker: Asker, spec: JudgeSpec, work: Sequence[Work], *, on_batch: Any = lambda: None) -> list[Judged]:
    """The judgment of each comparison: all first calls at once, then all first retries, and so on."""
    outcomes: list[Outcomes] = [[] for _ in work]
    failed: dict[int, str] = {}
    pending = [(place, call) for place, one in enumerate(work) for call in _planned(spec, one)]
    for attempt in range(spec.num_retries + 1):
        asked = [
            Asked(comparison=work[place].comparison, purpose=work[place].purpose, call=call) for place, call in pending
        ]
        again = []
        for (place, call), row in zip(pending, asker.ask(asked, on_batch=on_batch), strict=True):
            outcome = outcome_of(row)
            if outcome is None:
                failed[place] = row.reason
                continue
            outcomes[place].append((call, outcome))
            if not isinstance(outcome, Verdict) and attempt < spec.num_retries:
                again.append((place, judging.retry(call, outcome)))
        if not again:
            break
        pending = again
    judged = [judging.combine(spec, one.item, outcomes[place]) for place, one in enumerate(work)]
    for place, reason in failed.items():
        if judged[place].answer is None:
            judged[place] = replace(judged[place], reason=reason)  # what went wrong, rather than that it did
    return judged


def store_answers(
    run: JudgingRun, version: JudgeVersion | None, work: Sequence[Work], judged: Sequence[Judged]
) -> None:
    """Submit what has an answer, give the rest back with the reason, and keep all of it as verdicts, at once."""
    prefix = f"run-{run.pk}-slot"
    held = {
        one.slot.pk: (one, acceptable(one, found))
        for one, found in zip(work, judged, strict=True)
        if one.slot is not None
    }
    given = {pk: displayed(one, found) for pk, (one, found) in held.items() if found.answer is not None}
    with transaction.atomic():
        num_new = queue.submit_judgments(annotator=run.annotator, answers_of=given, key_prefix=prefix)
        keys = {f"{prefix}-{pk}": pk for pk in given}
        rows = Judgment.objects.filter(annotator=run.annotator, idempotency_key__in=keys)
        judgments = {keys[row.idempotency_key]: row for row in rows}
        JudgeVerdict.objects.bulk_create(
            (verdict_of(run, version, one, found, judgments.get(pk)) for pk, (one, found) in held.items()),
            ignore_conflicts=True,
        )
        for one, found in held.values():
            if found.answer is None:
                give_back(run, one, found.reason)
        judge_routing.apply(run, {one.comparison: found for one, found in held.values() if one.purpose == "main"})
        jobs.renew(run, num_done=run.num_done + num_new)
    jobs.beat(run)


def give_back(run: JudgingRun, one: Work, reason: str) -> None:
    """The slot goes to others, whatever the campaign does with skips: the judge failed, not the task."""
    slot = one.slot
    if slot is None or slot.token is None:
        return
    Skip.objects.get_or_create(
        comparison_id=slot.comparison_id,
        annotator=run.annotator,
        defaults={"campaign": run.campaign, "reason": reason[:500]},
    )
    if not judge_routing.take_away(slot):
        queue.release_slot(slot_id=slot.pk, annotator=run.annotator, token=slot.token)


def acceptable(one: Work, found: Judged) -> Judged:
    """The judgment without its answer where the very task demands a reason that the protocol does not give."""
    if found.answer is None or one.slot is None:
        return found
    wanted = rationales.is_wanted(one.slot, one.item.question)
    try:
        _parsed(one, found, wants_rationale=wanted)
    except answers.AnswerRefused as error:
        return replace(found, answer=None, reason=f"the task does not accept the verdict: {error}")
    return found


def displayed(one: Work, found: Judged) -> dict[str, Any]:
    """The answer as one about the places of the slot, which is how answers come in."""
    assert one.slot is not None  # noqa: S101 -- only answers to slots are submitted
    return answers.to_displayed(_parsed(one, found, wants_rationale=False), one.slot.display_order).to_json()


def _parsed(one: Work, found: Judged, *, wants_rationale: bool) -> answers.Answer:
    return answers.parse_answer(
        found.answer,
        question=one.item.question,
        num_completions=len(one.item.texts),
        wants_rationale=wants_rationale,
    )


def verdict_of(
    run: JudgingRun, version: JudgeVersion | None, one: Work, found: Judged, judgment: Judgment | None = None
) -> JudgeVerdict:
    """The row that keeps a judgment with everything that it is made of."""
    assert one.comparison is not None  # noqa: S101 -- attacks have no verdicts
    return JudgeVerdict(
        run=run,
        version=version,
        comparison_id=one.comparison,
        purpose=one.purpose,
        judgment=judgment,
        question_version=one.question_version,
        **verdict_columns(found),
    )


def verdict_columns(found: Judged) -> dict[str, Any]:
    """The columns of a verdict that come from reading alone."""
    return {
        "answer": found.answer,
        "reason": found.reason[:500],
        "preference": found.preference,
        "margin": found.margin,
        "is_flipped": found.flipped,
        "details": found.to_json(),
    }


def _planned(spec: JudgeSpec, one: Work) -> list[judging.JudgeCall]:
    try:
        return judging.plan(spec, one.item, one.seed)
    except CannotJudge as error:
        raise JobFailed(f"Comparison {one.comparison}: {error}.", failure_kind="cannot-judge") from error


def _claimed(run: JudgingRun) -> list[Slot]:
    """The next chunk under leases. Raises `JobFailed` if the judge was paused meanwhile."""
    enrolment = Enrolment.objects.filter(campaign=run.campaign, annotator=run.annotator).first()
    if enrolment is not None and not enrolment.is_active:
        reason = enrolment.pause_reason or "no reason was given"
        raise JobFailed(
            f"{run.annotator} was paused in {run.campaign} ({reason}); enrol it again and start another run.",
            failure_kind="judge-paused",
        )
    return queue.claim_slots(campaign=run.campaign, annotator=run.annotator, limit=CHUNK)


def _renew(run: JudgingRun, slots: Sequence[Slot]) -> None:
    """Keep the leases while a slow model answers."""
    until = timezone.now() + timedelta(seconds=run.campaign.lease_seconds)
    held = Slot.objects.filter(pk__in=[slot.pk for slot in slots], annotator=run.annotator, judged_at=None)
    held.update(leased_until=until)


def _pairs(work: Sequence[Work], judged: Sequence[Judged]) -> list[tuple[Work, Judged]]:
    return list(zip(work, judged, strict=True))
