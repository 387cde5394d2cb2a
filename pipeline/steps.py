"""The steps of each kind of pipeline, in order. A step starts jobs, and once they have finished says what came out.

To add a step: write `start_…` and `conclude_…` in the module of its subject and name them in a list here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.models import Job
from pipeline import candidate_steps, evaluation_steps, import_steps, judging_steps, starter_steps, training_steps
from pipeline.context import Context
from pipeline.options import PipelineOptions


@dataclass(frozen=True, kw_only=True)
class StepKind:
    """One step: `start` makes rows and jobs in one transaction, `conclude` sums up when the jobs have finished."""

    key: str
    title: str
    start: Callable[[Context], Sequence[Job]]
    conclude: Callable[[Context], str]


PROMPTS = StepKind(
    key="prompts",
    title="Make the starter prompts",
    start=starter_steps.start_prompts,
    conclude=starter_steps.conclude_prompts,
)
PAIRS = StepKind(
    key="pairs",
    title="Import the preference pairs",
    start=import_steps.start_pairs,
    conclude=import_steps.conclude_pairs,
)
SFT = StepKind(
    key="sft",
    title="Fine-tune on demonstrations (SFT)",
    start=training_steps.start_sft,
    conclude=training_steps.conclude_sft,
)
SERVED = StepKind(
    key="served",
    title="Find the served model",
    start=candidate_steps.start_served,
    conclude=candidate_steps.conclude_served,
)
CANDIDATES = StepKind(
    key="candidates",
    title="Sample candidate completions",
    start=candidate_steps.start_candidates,
    conclude=candidate_steps.conclude_candidates,
)
JUDGING = StepKind(
    key="judging",
    title="Judge them: pairs and rankings",
    start=judging_steps.start_judging,
    conclude=judging_steps.conclude_judging,
)
DATASET = StepKind(
    key="dataset",
    title="Freeze the preference dataset",
    start=judging_steps.start_dataset,
    conclude=judging_steps.conclude_dataset,
)
REWARD = StepKind(
    key="reward",
    title="Train the reward model",
    start=training_steps.start_reward,
    conclude=training_steps.conclude_reward,
)
DPO = StepKind(
    key="dpo", title="Train a policy with DPO", start=training_steps.start_dpo, conclude=training_steps.conclude_dpo
)
PPO = StepKind(
    key="ppo", title="Train a policy with PPO", start=training_steps.start_ppo, conclude=training_steps.conclude_ppo
)
HELD_OUT = StepKind(
    key="held_out",
    title="Sample on held-out prompts",
    start=evaluation_steps.start_held_out,
    conclude=evaluation_steps.conclude_held_out,
)
EVALUATION = StepKind(
    key="evaluation",
    title="Evaluate",
    start=evaluation_steps.start_evaluation,
    conclude=evaluation_steps.conclude_evaluation,
)
PAIR_EVALUATION = StepKind(
    key="evaluation",
    title="Evaluate on held-out pairs",
    start=evaluation_steps.start_pair_evaluation,
    conclude=evaluation_steps.conclude_pair_evaluation,
)
DEMONSTRATIONS = StepKind(
    key="demonstrations",
    title="Freeze the demonstrations",
    start=training_steps.start_demonstrations,
    conclude=training_steps.conclude_demonstrations,
)


def steps_of(options: PipelineOptions) -> list[StepKind]:
    """What a pipeline with these options does, in order."""
    if options.kind == "pairs":
        return [PAIRS, DEMONSTRATIONS, SFT, DATASET, REWARD, DPO, PAIR_EVALUATION]
    start = [PROMPTS, SERVED] if options.vllm_url else [PROMPTS, DEMONSTRATIONS, SFT]
    return [*start, CANDIDATES, JUDGING, DATASET, REWARD, DPO, PPO, HELD_OUT, EVALUATION]
