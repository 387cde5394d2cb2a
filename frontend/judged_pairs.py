"""An evaluation's judge and its pairs, as pages show them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, Count, Q, Sum

from annotation.judge_report import calibration_of
from annotation.models import Campaign, JudgeCall
from evaluation.metrics import TIE
from evaluation.models import EvaluationRun, JudgedPair

State = JudgedPair.State
NUM_CAMPAIGNS = 3  # whose people the judge is held against


@dataclass(frozen=True, kw_only=True)
class SubjectCounts:
    """How the pairs of one model ended."""

    subject: Any
    won: int
    level: int
    lost: int
    others: list[tuple[str, int]]  # state in words, how many
    total: int


def counts_by_subject(run: EvaluationRun) -> list[SubjectCounts]:
    """One row for each model with pairs."""
    subjects = {model.pk: model for model in run.subjects.all()}
    states: dict[int, Counter[str]] = defaultdict(Counter)
    for subject, state, outcome, count in (
        run.pairs.order_by().values_list("subject", "state", "outcome").annotate(count=Count("pk"))
    ):
        states[subject][_ending(state, outcome)] += count
    others = [state for state in State if state != State.JUDGED]
    return [
        SubjectCounts(
            subject=subjects[pk],
            won=counts["won"],
            level=counts["level"],
            lost=counts["lost"],
            others=[(str(state.label), counts[state.value]) for state in others],
            total=sum(counts.values()),
        )
        for pk, counts in sorted(states.items())
    ]


def _ending(state: str, outcome: float | None) -> str:
    if outcome is None:
        return state
    return "level" if outcome == TIE else "won" if outcome > TIE else "lost"


def other_states(rows: Sequence[SubjectCounts]) -> list[str]:
    """The heads of the columns behind won, level and lost."""
    return [name for name, _ in rows[0].others] if rows else []


def judge_facts(run: EvaluationRun) -> dict[str, Any]:
    """What stands beside the judge's name: what its calls took, and how it agrees with people elsewhere."""
    version = run.judge_version
    if version is None:
        return {}
    calls = JudgeCall.objects.filter(evaluation__pair__run=run)
    own = Q(cached_from=None)
    took = calls.aggregate(
        num=Count("pk"), asked=Count("pk", filter=own), cost=Sum("cost"), latency=Avg("latency_ms", filter=own)
    )
    spoken = version.verdicts.order_by().values("run__campaign").distinct()
    campaigns = Campaign.objects.filter(pk__in=spoken).order_by("-pk")[:NUM_CAMPAIGNS]
    assert run.judge is not None  # noqa: S101 -- whoever has a version is a judge
    return {
        "took": {**took, "cached": took["num"] - took["asked"]},
        "reports": [(campaign, calibration_of(campaign, run.judge, version)) for campaign in campaigns],
        "is_party": version.model_id in {run.baseline_id, *run.subjects.values_list("pk", flat=True)},
    }
