"""The runs of panels: what their members have said about a comparison, combined. No model is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from annotation import queue
from annotation.judge_items import Work, work_on_slots
from annotation.judge_verdicts import restored
from annotation.judging import Judged
from annotation.judging.panel import combine_panel
from annotation.llm_judging import CHUNK, store_answers
from annotation.models import JudgeVerdict, JudgingRun
from core import jobs


def answer_slots(run: JudgingRun) -> None:
    """Answer every slot that the panel can get; those of which too few members have a verdict go back."""
    num_open = run.campaign.comparisons.exclude(judgments__annotator=run.annotator).count()
    jobs.beat(run, num_done=0, num_total=num_open)
    while slots := queue.claim_slots(campaign=run.campaign, annotator=run.annotator, limit=CHUNK):
        work = work_on_slots(slots)
        said = members_verdicts(run, [one.comparison for one in work if one.comparison is not None])
        store_answers(run, None, work, [_combined(run, one, said) for one in work])
    jobs.beat(run, num_total=run.num_done)


def members_verdicts(run: JudgingRun, comparisons: Iterable[int]) -> dict[int, dict[int, JudgeVerdict]]:
    """comparison → member → its newest verdict there, from runs and calibrations."""
    rows = JudgeVerdict.objects.filter(
        run__campaign=run.campaign,
        run__annotator__in=run.annotator.parameters["members"],
        comparison__in=list(comparisons),
        purpose="main",
    ).select_related("run")
    found: dict[int, dict[int, JudgeVerdict]] = defaultdict(dict)
    for row in rows.order_by("pk"):
        found[row.comparison_id][row.run.annotator_id] = row
    return found


def _combined(run: JudgingRun, one: Work, said: dict[int, dict[int, JudgeVerdict]]) -> Judged:
    """Members that have said nothing under this version of the question abstain."""
    given = said.get(one.comparison or 0, {})
    members = []
    for pk in run.annotator.parameters["members"]:
        row = given.get(pk)
        is_about_this = row is not None and row.question_version == one.question_version
        members.append(restored(row.details) if row is not None and is_about_this else Judged(answer=None))
    parameters = run.annotator.parameters
    return combine_panel(members, question=one.item.question, method=parameters["method"], quorum=parameters["quorum"])
