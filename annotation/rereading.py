"""Reading stored replies once more, after their reader has become better. Nothing is asked anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from annotation import judging
from annotation.judge_calls import read, reply_of
from annotation.judge_items import Work, work_on_comparisons
from annotation.judges import spec_of
from annotation.judging import Outcome, Verdict
from annotation.llm_judging import verdict_columns
from annotation.models import JudgeCall, JudgeVerdict, JudgingRun, Judgment, QuestionVersion
from annotation.question import Question

CHUNK = 500  # comparisons whose calls are read together


@dataclass(frozen=True, kw_only=True)
class Reread:
    """What came of it."""

    num_calls: int
    num_outcomes_changed: int  # calls that are understood otherwise
    num_answers_changed: int  # comparisons with another answer; their judgments are revised
    num_answerable: int  # comparisons that had no answer and have one: another run submits it without asking


def reread(run: JudgingRun) -> Reread:
    """Read every stored reply of a run again, and revise the judgments that come out otherwise."""
    if run.version is None:
        return Reread(num_calls=0, num_outcomes_changed=0, num_answers_changed=0, num_answerable=0)
    totals = [0, 0, 0, 0]
    pruned = run.calls.exclude(pruned_at=None).exclude(comparison=None).values("comparison")
    rows = run.verdicts.exclude(comparison__in=pruned)  # there is nothing left to read
    verdicts = list(rows.select_related("judgment__slot").order_by("comparison"))
    for start in range(0, len(verdicts), CHUNK):
        with transaction.atomic():
            for place, number in enumerate(_reread(run, verdicts[start : start + CHUNK])):
                totals[place] += number
    return Reread(
        num_calls=totals[0], num_outcomes_changed=totals[1], num_answers_changed=totals[2], num_answerable=totals[3]
    )


def _reread(run: JudgingRun, verdicts: Sequence[JudgeVerdict]) -> tuple[int, int, int, int]:
    rows = run.calls.filter(comparison__in=[verdict.comparison_id for verdict in verdicts]).exclude(finish_reason="")
    calls = list(rows.order_by("attempt", "pk"))
    num_changed = _store_outcomes(calls)
    by_place: dict[tuple[int | None, str], list[JudgeCall]] = defaultdict(list)
    for row in calls:
        by_place[row.comparison_id, row.purpose].append(row)
    work = _work(run, verdicts)
    num_revised = num_answerable = 0
    for verdict in verdicts:
        before = verdict.answer
        if not _store_verdict(verdict, work[verdict.pk], by_place[verdict.comparison_id, verdict.purpose]):
            continue
        num_answerable += before is None
        num_revised += before is not None
    return len(calls), num_changed, num_revised, num_answerable


def _store_outcomes(calls: Iterable[JudgeCall]) -> int:
    changed = []
    for row in calls:
        found = read(judging.JudgeCall.from_json(row.call), reply_of(row))
        if (row.outcome, row.reason) != (found["outcome"], found["reason"]):
            row.outcome, row.reason = found["outcome"], found["reason"]
            changed.append(row)
    JudgeCall.objects.bulk_update(changed, ["outcome", "reason"], batch_size=CHUNK)
    return len(changed)


def _store_verdict(verdict: JudgeVerdict, one: Work, calls: Sequence[JudgeCall]) -> bool:
    """Whether the answer is another one now; the judgment is revised then."""
    assert verdict.version is not None  # noqa: S101 -- only runs of a version are read again
    before = verdict.answer
    found = judging.combine(spec_of(verdict.version), one.item, _outcomes(calls))
    for name, value in verdict_columns(found).items():
        setattr(verdict, name, value)
    is_changed = verdict.answer != before
    if is_changed and verdict.judgment is not None and verdict.answer is not None:
        verdict.judgment = _revise(verdict.judgment, verdict.answer)
    verdict.save(update_fields=["answer", "reason", "preference", "margin", "is_flipped", "details", "judgment"])
    return is_changed


def _outcomes(calls: Sequence[JudgeCall]) -> list[tuple[judging.JudgeCall, Outcome]]:
    """Of each request the replies up to the first verdict: what comes after would not have been asked for."""
    outcomes: list[tuple[judging.JudgeCall, Outcome]] = []
    decided: set[tuple[int, int, int]] = set()
    for row in calls:
        call = judging.JudgeCall.from_json(row.call)
        place = (call.round, call.part, call.sample)
        if place in decided:
            continue
        outcome = judging.read(call, reply_of(row))
        outcomes.append((call, outcome))
        if isinstance(outcome, Verdict):
            decided.add(place)
    return outcomes


def _revise(old: Judgment, answer: Mapping[str, object]) -> Judgment:
    Judgment.objects.filter(pk=old.pk).update(is_current=False)
    columns = ("slot_id", "comparison_id", "annotator_id", "purpose", "display_order", "question_version")
    return Judgment.objects.create(
        **{name: getattr(old, name) for name in columns},
        guideline_version=old.guideline_version,
        answer=dict(answer),
        idempotency_key=f"reread-{old.pk}",
        revises=old,
    )


def _work(run: JudgingRun, verdicts: Sequence[JudgeVerdict]) -> dict[int, Work]:
    """verdict → what was asked, by the question that it was judged under."""
    found: dict[int, Work] = {}
    for number in {verdict.question_version for verdict in verdicts}:
        of_version = [verdict for verdict in verdicts if verdict.question_version == number]
        question = _question(run, number)
        pks = [verdict.comparison_id for verdict in of_version]
        for verdict, one in zip(
            of_version, work_on_comparisons(pks, question=question, question_version=number), strict=True
        ):
            found[verdict.pk] = one
    return found


def _question(run: JudgingRun, number: int) -> Question:
    asked = QuestionVersion.objects.filter(campaign=run.campaign, number=number).first()
    return Question.from_json(asked.question if asked else run.campaign.question)
