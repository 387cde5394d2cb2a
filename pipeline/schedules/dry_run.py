"""What a schedule would do if it fired now. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.errors import ConcordError
from pipeline.models import ScheduleFiring, TrainingSchedule
from pipeline.schedules import conditions, new_judgments, timing
from pipeline.schedules.conditions import Answer
from pipeline.schedules.plan import Plan, check, num_prompts, plan_of
from training.services import DATASET_KINDS

Asked = ScheduleFiring.Trigger


@dataclass(frozen=True, kw_only=True)
class CampaignCount:
    """One of the campaigns and its judgments."""

    campaign: int
    name: str
    num_judgments: int
    num_new: int


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What would come of a firing."""

    would_fire: bool  # of itself, at its next time or look; by hand it fires unless another one runs
    reason: str
    problem: str  # why a step would fail; empty: nothing is known
    num_judgments: int
    num_new_judgments: int
    campaigns: list[CampaignCount]
    steps: list[str]
    next_times: list[datetime]


def dry_run(schedule: TrainingSchedule, *, now: datetime) -> DryRun:
    """Count, check and describe."""
    counted, plan = new_judgments.count(schedule), plan_of(schedule)
    running = schedule.firings.filter(status=ScheduleFiring.Status.RUNNING).first()
    said = _answer(schedule, counted, running)
    return DryRun(
        would_fire=said.fires,
        reason=said.reason,
        problem=_problem(schedule, plan),
        num_judgments=counted.total,
        num_new_judgments=counted.num_new,
        campaigns=_campaigns(schedule, counted),
        steps=steps_in_words(plan, num_judgments=counted.total, num_new=counted.num_new),
        next_times=next_times(schedule, now=now),
    )


def next_times(schedule: TrainingSchedule, *, now: datetime, count: int = 5) -> list[datetime]:
    """When it will be asked next; empty if it is paused or goes by judgments alone."""
    if not schedule.is_active or not schedule.cron:
        return []
    return timing.next_times(schedule.cron, schedule.timezone, after=now, count=count)


def steps_in_words(plan: Plan, *, num_judgments: int, num_new: int) -> list[str]:
    """A sentence for each step."""
    kind = DATASET_KINDS[plan.algorithm][0]
    campaigns = ", ".join(str(campaign) for campaign in plan.campaigns)
    margin = f" and the margin is at least {100 * plan.min_margin:g} points" if plan.min_margin else ""
    return [
        f"Freeze a dataset of {kind} from {num_judgments:,} judgments, {num_new:,} of them new, of {campaigns}.",
        f"Train {plan.current_model} further by {plan.algorithm.upper()} on it.",
        f"Let both models answer {num_prompts(plan):,} held-out prompts of {plan.prompt_set}, "
        f"{plan.num_completions} time{'s' if plan.num_completions > 1 else ''} each.",
        f"Let {plan.judge} compare the answers in both orders.",
        f"Replace {plan.current_model} if the margin’s 95 % interval lies above zero{margin}, "
        f"on at least {plan.min_prompts:,} prompts; otherwise keep it.",
    ]


def _answer(schedule: TrainingSchedule, counted: new_judgments.Counted, running: ScheduleFiring | None) -> Answer:
    """The best that any of its own triggers would say."""
    asked = [
        kind
        for kind, task in ((Asked.COUNT, schedule.count_task_id), (Asked.TIME, schedule.time_task_id))
        if task is not None
    ]
    if not schedule.is_active:
        return Answer(fires=False, reason="It is paused: only somebody’s hand lets it fire.")
    answers = [conditions.answer(schedule, kind, counted, running) for kind in asked]
    fallback = Answer(fires=False, reason="Its times have been removed; save it again.")
    return next((one for one in answers if one.fires), answers[-1] if answers else fallback)


def _problem(schedule: TrainingSchedule, plan: Plan) -> str:
    try:
        check(schedule.workspace, plan)
    except ConcordError as error:
        return error.detail
    return ""


def _campaigns(schedule: TrainingSchedule, counted: new_judgments.Counted) -> list[CampaignCount]:
    new = counted.new_by_campaign
    return [
        CampaignCount(
            campaign=campaign.pk,
            name=campaign.name,
            num_judgments=counted.seen[str(campaign.pk)],
            num_new=new[str(campaign.pk)],
        )
        for campaign in schedule.campaigns.order_by("pk")
    ]
