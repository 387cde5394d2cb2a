"""The steps of a firing, each of which starts one job, and the conclusion. Every call runs inside a transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from annotation import services as annotation
from annotation.models import Annotator, Campaign, Dataset
from core.models import Job
from evaluation import services as evaluation
from evaluation.models import EvaluationRun
from generation import services as generation
from generation.models import LanguageModel, PromptSet, SamplingRun
from generation.services import ArmSpec
from pipeline.context import free_name
from pipeline.models import ScheduleFiring
from pipeline.schedules.promotion import Figures
from training import services as training
from training.models import TrainingRun

Step = ScheduleFiring.Step


@dataclass(frozen=True, kw_only=True)
class StepKind:
    """`start` makes the job's row and queues it; the firing keeps it under `column`."""

    step: Step
    column: str
    start: Callable[[ScheduleFiring], Job]


def start_freeze(firing: ScheduleFiring) -> Dataset:
    """The judgments of the campaigns as the algorithm wants them."""
    workspace = firing.schedule.workspace
    return annotation.start_freeze(
        workspace=workspace,
        name=free_name(Dataset, workspace, _title(firing)),
        kind=training.DATASET_KINDS[firing.plan["algorithm"]][0],
        campaigns=list(Campaign.objects.filter(pk__in=firing.plan["campaigns"]).order_by("pk")),
        filter=firing.plan["filter"],
        user=firing.created_by,
    )


def start_training(firing: ScheduleFiring) -> TrainingRun:
    """From the model that was current when it fired."""
    return training.start_training_run(
        workspace=firing.schedule.workspace,
        name=_title(firing),
        algorithm=firing.plan["algorithm"],
        config=firing.plan["config"],
        seed=_seed(firing),
        dataset=firing.dataset,
        init_model=firing.baseline,
        user=firing.created_by,
    )


def start_sampling(firing: ScheduleFiring) -> SamplingRun:
    """Both models answer the same held-out prompts. A model can answer only when it is registered."""
    assert firing.training_run is not None  # noqa: S101 -- the step before made it
    assert firing.baseline is not None  # noqa: S101 -- the firing began with it
    workspace = firing.schedule.workspace
    firing.candidate = training.publish_checkpoint(
        checkpoint=firing.training_run.checkpoints.get(is_final=True),
        name=free_name(LanguageModel, workspace, f"{_title(firing)} (candidate)"),
    )
    return generation.start_sampling_run(
        workspace=workspace,
        name=_title(firing),
        prompt_set=PromptSet.objects.get(pk=firing.plan["prompt_set"]),
        arms=[
            ArmSpec(
                model=model,
                num_completions=firing.plan["num_completions"],
                temperature=firing.plan["temperature"],
                max_new_tokens=firing.plan["max_new_tokens"],
            )
            for model in (firing.baseline, firing.candidate)
        ],
        split=SamplingRun.Split.HELD_OUT,
        max_prompts=firing.plan["max_prompts"],
        seed=_seed(firing),
        user=firing.created_by,
    )


def start_evaluation(firing: ScheduleFiring) -> EvaluationRun:
    """The candidate's replies against the current model's."""
    assert firing.candidate is not None  # noqa: S101 -- the step before made it
    return evaluation.start_evaluation(
        workspace=firing.schedule.workspace,
        name=_title(firing),
        kind=EvaluationRun.Kind.WIN_RATE,
        subjects=[firing.candidate],
        baseline=firing.baseline,
        sampling_run=firing.sampling_run,
        judge=Annotator.objects.get(pk=firing.plan["judge"]),
        uses_managed_server=firing.plan["uses_managed_server"],
        seed=_seed(firing),
        user=firing.created_by,
    )


def figures_of(firing: ScheduleFiring) -> Figures:
    """What the evaluation found."""
    assert firing.evaluation_run is not None  # noqa: S101 -- the step before made it
    result = firing.evaluation_run.results.get(model=firing.candidate, metric="win_rate")
    return Figures(win_rate=result.value, low=result.low, high=result.high, num_prompts=result.num_prompts)


def promote(firing: ScheduleFiring) -> None:
    """The candidate loses its byname and becomes the schedule's current model. The schedule's row must be locked."""
    assert firing.candidate is not None  # noqa: S101 -- the figures are about it
    workspace = firing.schedule.workspace
    generation.rename_model(model=firing.candidate, name=free_name(LanguageModel, workspace, _title(firing)))
    firing.schedule.current_model = firing.candidate
    firing.schedule.save(update_fields=["current_model"])


def _title(firing: ScheduleFiring) -> str:
    return f"{firing.schedule.name} {firing.number}"


def _seed(firing: ScheduleFiring) -> int:
    """Another one each time, so that no firing repeats the luck of the one before."""
    seed: int = firing.plan["seed"] + firing.number
    return seed


STEPS = (
    StepKind(step=Step.FREEZE, column="dataset", start=start_freeze),
    StepKind(step=Step.TRAIN, column="training_run", start=start_training),
    StepKind(step=Step.SAMPLE, column="sampling_run", start=start_sampling),
    StepKind(step=Step.EVALUATE, column="evaluation_run", start=start_evaluation),
)
