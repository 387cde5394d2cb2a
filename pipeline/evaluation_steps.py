"""Steps that show whether the policies are better."""

from collections.abc import Sequence

from annotation.models import Dataset
from core.models import Job
from evaluation import services as evaluation
from evaluation.models import EvaluationRun
from generation import services as generation
from generation.models import LanguageModel, PromptSet, SamplingRun
from generation.services import ArmSpec
from pipeline.candidate_steps import sizes_of
from pipeline.context import Context
from pipeline.judging_steps import JUDGE_NAMES, judge_of


def _model(context: Context, name: str) -> LanguageModel:
    return context.get(LanguageModel, f"{name}_model")


def start_held_out(context: Context) -> Sequence[Job]:
    """The same held-out prompts for all three policies, sampled in one run."""
    sizes = sizes_of(context)
    run = generation.start_sampling_run(
        workspace=context.workspace,
        name=context.named("Held-out completions"),
        prompt_set=context.get(PromptSet, "prompt_set"),
        arms=[
            ArmSpec(
                model=_model(context, name),
                num_completions=sizes.num_eval_completions,
                temperature=sizes.eval_temperature,
                max_new_tokens=sizes.max_new_tokens,
            )
            for name in ("sft", "dpo", "ppo")
        ],
        split=SamplingRun.Split.HELD_OUT,
        max_prompts=sizes.num_eval_prompts,
        seed=context.options.seed,
    )
    context.put("held_out_run", run)
    return [run]


def conclude_held_out(context: Context) -> str:
    run = context.get(SamplingRun, "held_out_run")
    return f"{run.completions.count()} completions of {run.arms.count()} policies"


def start_evaluation(context: Context) -> Sequence[Job]:
    """Win rates against SFT by each rubric, and the reward model's accuracy."""
    started = []
    for strictness in JUDGE_NAMES:
        run = evaluation.start_evaluation(
            workspace=context.workspace,
            name=context.named(f"Win rate against SFT, {strictness} rubric"),
            kind=EvaluationRun.Kind.WIN_RATE,
            subjects=[_model(context, "dpo"), _model(context, "ppo")],
            baseline=_model(context, "sft"),
            sampling_run=context.get(SamplingRun, "held_out_run"),
            judge=judge_of(context, strictness),
            seed=context.options.seed,
        )
        context.put(f"win_rate_{strictness}", run)
        started.append(run)
    return [*started, *_start_accuracy(context)]


def start_pair_evaluation(context: Context) -> Sequence[Job]:
    return _start_accuracy(context)


def _start_accuracy(context: Context) -> list[Job]:
    """The reward model's scores and DPO's implicit rewards on the dataset's held-out pairs."""
    run = evaluation.start_evaluation(
        workspace=context.workspace,
        name=context.named("Accuracy on held-out pairs"),
        kind=EvaluationRun.Kind.PREFERENCE_ACCURACY,
        subjects=[_model(context, "reward"), _model(context, "dpo")],
        baseline=_model(context, "sft"),
        dataset=context.get(Dataset, "dataset"),
        seed=context.options.seed,
    )
    context.put("accuracy", run)
    return [run]


def conclude_evaluation(context: Context) -> str:
    return _in_words(context, ["win_rate_strict", "win_rate_lenient", "accuracy"])


def conclude_pair_evaluation(context: Context) -> str:
    return _in_words(context, ["accuracy"])


def _in_words(context: Context, names: Sequence[str]) -> str:
    parts = []
    for name in names:
        for result in context.get(EvaluationRun, name).results.select_related("model"):
            title = result.model.name.split(" · ")[0]
            parts.append(f"{title} {result.metric.replace('_', ' ')} {result.value:.3f}")
    return ", ".join(parts)
