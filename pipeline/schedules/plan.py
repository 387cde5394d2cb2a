"""What a schedule does each time it fires: checked when it is made, and copied to each firing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from accounts.models import Workspace
from annotation.dataset_filter import DatasetFilter
from annotation.models import Annotator, Campaign
from core.errors import ConcordError
from evaluation import services as evaluation
from generation.engines.base import SamplingParameters
from generation.engines.errors import EngineError
from generation.models import LanguageModel, PromptSet, SamplingRun
from generation.splits import split_of
from pipeline.models import TrainingSchedule
from pipeline.schedules import timing
from training import services as training
from training.models import TrainingRun

Trigger = TrainingSchedule.Trigger
Algorithm = TrainingRun.Algorithm
ALGORITHMS = (Algorithm.SFT, Algorithm.DPO, Algorithm.KTO, Algorithm.ORPO, Algorithm.SIMPO)  # policies, from judgments
MAX_SEED = 2**31 - 1
MAX_COUNT = 2**31 - 1
MAX_COMPLETIONS = 64


class ScheduleRefused(ConcordError):
    """A schedule cannot be made like this, or not be asked for that."""

    status = 422
    title = "This schedule cannot work"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All settings of a schedule but its name; the columns are those of `TrainingSchedule`."""

    trigger: str
    cron: str = ""  # "" unless the trigger has times
    timezone: str = "UTC"
    min_new_judgments: int | None = None  # None unless the trigger counts
    campaigns: Sequence[Campaign] = ()
    filter: dict[str, Any] = field(default_factory=dict)
    algorithm: str = Algorithm.DPO
    config: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    current_model: LanguageModel
    prompt_set: PromptSet
    max_prompts: int | None = None
    num_completions: int = 1
    temperature: float = 0.7
    max_new_tokens: int = 256
    judge: Annotator
    uses_managed_server: bool = False
    min_margin: float = 0.0
    min_prompts: int = 30

    def columns(self) -> dict[str, Any]:
        """The plain columns of the row: all but the campaigns and the times, which are in tables of their own."""
        apart = {"campaigns", "cron", "timezone"}
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name not in apart}


def plan_of(schedule: TrainingSchedule) -> Plan:
    """The settings that a schedule has."""
    plain = {name: getattr(schedule, name) for name in _column_names()}
    campaigns = list(schedule.campaigns.order_by("pk"))
    return Plan(cron=schedule.cron, timezone=schedule.timezone, campaigns=campaigns, **plain)


def copy_of(schedule: TrainingSchedule) -> dict[str, Any]:
    """The settings as JSON, rows by their ids, for a firing to keep while people change the schedule."""
    plan = plan_of(schedule)
    rows = {"current_model", "prompt_set", "judge"}
    values = {item.name: getattr(plan, item.name) for item in fields(plan) if item.name != "campaigns"}
    ids = {name: values[name].pk for name in rows}
    return {**values, **ids, "campaigns": [campaign.pk for campaign in plan.campaigns]}


def check(workspace: Workspace, plan: Plan) -> None:
    """Raises what a step would raise later: `ScheduleRefused`, `TimingInvalid`, or an error of the part that refuses.

    Those are `FilterInvalid`, `TrainingRefused`, `EvaluationRefused`, `ServingRefused`.
    """
    _check_trigger(plan)
    _check_numbers(plan)
    _check_owners(workspace, plan)
    DatasetFilter.from_json(plan.filter)
    _check_training(plan)
    evaluation.check_comparing_judge(plan.judge, uses_managed_server=plan.uses_managed_server)
    _check_prompts(plan)


def _check_trigger(plan: Plan) -> None:
    if plan.trigger not in Trigger.values:
        raise ScheduleRefused(f"trigger must be one of {', '.join(Trigger.values)}, got {plan.trigger!r}.")
    has_times = plan.trigger != Trigger.COUNT
    if has_times != bool(plan.cron.strip()):
        raise ScheduleRefused(
            f"A schedule {Trigger(plan.trigger).label} needs cron, its times."
            if has_times
            else "A schedule that goes by judgments alone has no times: leave cron empty, or choose another trigger."
        )
    if has_times:
        timing.crontab_of(plan.cron, plan.timezone)
    if (plan.trigger != Trigger.TIME) != (plan.min_new_judgments is not None):
        raise ScheduleRefused(
            "A schedule that goes by its times alone counts nothing: leave min_new_judgments out."
            if plan.trigger == Trigger.TIME
            else f"A schedule {Trigger(plan.trigger).label} needs min_new_judgments, how many are enough."
        )


def _check_numbers(plan: Plan) -> None:
    _within("min_new_judgments", plan.min_new_judgments, 1, MAX_COUNT)
    _within("max_prompts", plan.max_prompts, 1, MAX_COUNT)
    _within("num_completions", plan.num_completions, 1, MAX_COMPLETIONS)
    _within("min_prompts", plan.min_prompts, 2, MAX_COUNT)
    _within("seed", plan.seed, 0, MAX_SEED)
    if not 0 <= plan.min_margin < 0.5:
        raise ScheduleRefused(
            f"min_margin is the win rate above one half: from 0 to below 0.5, got {plan.min_margin:g}."
        )
    try:
        SamplingParameters(temperature=plan.temperature, max_new_tokens=plan.max_new_tokens)
    except EngineError as error:
        raise ScheduleRefused(f"{error}.") from error


def _within(name: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise ScheduleRefused(f"{name} must lie in {least}–{most}, got {value}.")


def _check_owners(workspace: Workspace, plan: Plan) -> None:
    if not plan.campaigns:
        raise ScheduleRefused("Name at least one campaign whose judgments are learnt from.")
    rows: list[Campaign | LanguageModel | PromptSet | Annotator]
    rows = [*plan.campaigns, plan.current_model, plan.prompt_set, plan.judge]
    for row in rows:
        if row.workspace_id != workspace.pk:
            raise ScheduleRefused(f"{row} belongs to another workspace; everything must be in {workspace}.")


def _check_training(plan: Plan) -> None:
    if plan.algorithm not in ALGORITHMS:
        raise ScheduleRefused(
            f"algorithm must be one of {', '.join(ALGORITHMS)}, which train a policy on judgments, got "
            f"{plan.algorithm!r}. PPO needs a reward model of its own; a reward model writes nothing that could win."
        )
    training.checked_config(plan.algorithm, plan.config)
    training.check_models(plan.algorithm, plan.current_model)


def _check_prompts(plan: Plan) -> None:
    """Enough held-out prompts for a decision."""
    num_held_out = num_prompts(plan)
    if num_held_out < plan.min_prompts:
        raise ScheduleRefused(
            f"{plan.prompt_set} gives {num_held_out} held-out prompts to compare on, and min_prompts asks for "
            f"{plan.min_prompts}: no firing could decide. Take a larger set, raise max_prompts or lower min_prompts."
        )


def num_prompts(plan: Plan) -> int:
    """How many held-out prompts both models answer."""
    fingerprints = plan.prompt_set.prompts.order_by("pk").values_list("fingerprint", flat=True)
    fraction = plan.prompt_set.held_out_fraction
    num_there = sum(split_of(fingerprint, fraction) == SamplingRun.Split.HELD_OUT.value for fingerprint in fingerprints)
    return num_there if plan.max_prompts is None else min(num_there, plan.max_prompts)


def _column_names() -> list[str]:
    apart = {"campaigns", "cron", "timezone"}
    return [item.name for item in fields(Plan) if item.name not in apart]
