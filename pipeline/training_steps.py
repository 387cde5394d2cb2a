"""Steps that train, and publish what was trained."""

from collections.abc import Callable, Sequence
from typing import Any

from annotation import services as annotation
from annotation.models import Campaign, Dataset
from core.models import Job
from generation import services as generation
from generation.models import LanguageModel, PromptSet
from pipeline.context import Context
from pipeline.options import OptionsInvalid, PipelineOptions
from training import services as training
from training.algorithms import presets
from training.algorithms.config import Config, InvalidConfiguration, config_fields, parse_config
from training.models import Metric, TrainingRun

PRESETS: dict[tuple[str, str], Callable[[], Config]] = {
    ("starter", "sft"): presets.starter_sft,
    ("starter", "reward"): presets.starter_reward,
    ("starter", "dpo"): presets.starter_dpo,
    ("starter", "ppo"): presets.starter_ppo,
    ("pairs", "sft"): presets.dialogues_sft,
    ("pairs", "reward"): presets.dialogues_reward,
    ("pairs", "dpo"): presets.dialogues_dpo,
}


def config_of(options: PipelineOptions, algorithm: str) -> dict[str, Any]:
    """The preset's fields with the run's own in their place."""
    return {**config_fields(PRESETS[options.kind, algorithm]()), **options.configs.get(algorithm, {})}


def check_configs(options: PipelineOptions) -> None:
    """Raises `OptionsInvalid` for an algorithm or a field that is unknown or wrong, before anything has started."""
    known = [algorithm for kind, algorithm in PRESETS if kind == options.kind]
    for algorithm, changes in options.configs.items():
        if algorithm not in known or not isinstance(changes, dict):
            raise OptionsInvalid(f"configs maps {', '.join(known)} to fields, got {algorithm!r}: {changes!r}.")
        try:
            parse_config(algorithm, config_of(options, algorithm))
        except InvalidConfiguration as error:
            raise OptionsInvalid(f"{algorithm}: {error}") from error


def start_demonstrations(context: Context) -> Sequence[Job]:
    """The starter demonstrations, or the preferred reply of each imported prompt."""
    campaign = context.find(Campaign, "pair_campaign")
    dataset = annotation.start_freeze(
        workspace=context.workspace,
        name=context.free_name(Dataset, context.named("Demonstrations")),
        kind=Dataset.Kind.DEMONSTRATIONS,
        campaigns=[campaign] if campaign else (),
        prompt_set=None if campaign else context.get(PromptSet, "demonstrated_set"),
    )
    context.put("demonstrations", dataset)
    return [dataset]


def conclude_demonstrations(context: Context) -> str:
    dataset = context.get(Dataset, "demonstrations")
    rows = dataset.counts["rows"]
    return f"{rows.get('train', 0)} for training, {rows.get('held_out', 0)} held out, SHA-256 {dataset.sha256[:12]}…"


def start_sft(context: Context) -> Sequence[Job]:
    run = _start(context, "sft", dataset=context.get(Dataset, "demonstrations"), init_model=_given_model(context))
    return [run]


def conclude_sft(context: Context) -> str:
    return _publish(context, "sft", "SFT", ["loss", "held_out_loss", "held_out_exact"])


def start_reward(context: Context) -> Sequence[Job]:
    return [_start(context, "reward", **_preferences(context))]


def conclude_reward(context: Context) -> str:
    return _publish(context, "reward", "Reward model", ["loss", "accuracy", "held_out_accuracy"])


def start_dpo(context: Context) -> Sequence[Job]:
    return [_start(context, "dpo", **_preferences(context))]


def conclude_dpo(context: Context) -> str:
    return _publish(context, "dpo", "DPO", ["loss", "accuracy", "margin", "held_out_accuracy"])


def start_ppo(context: Context) -> Sequence[Job]:
    run = _start(
        context,
        "ppo",
        prompt_set=context.get(PromptSet, "prompt_set"),
        init_model=context.get(LanguageModel, "sft_model"),
        reward_model=context.get(LanguageModel, "reward_model"),
    )
    return [run]


def conclude_ppo(context: Context) -> str:
    return _publish(context, "ppo", "PPO", ["score", "kl", "response_length"])


def _preferences(context: Context) -> dict[str, Any]:
    return {"dataset": context.get(Dataset, "dataset"), "init_model": context.get(LanguageModel, "sft_model")}


def _given_model(context: Context) -> LanguageModel | None:
    """The folder or hub id that the user named, as a language model; None starts a fresh one."""
    location = context.options.model
    if not location:
        return None
    known: LanguageModel | None = LanguageModel.objects.filter(
        workspace=context.workspace, location=location, source__in=("folder", "hub")
    ).first()
    is_folder = location.startswith((".", "/", "~"))
    return known or generation.register_model(
        workspace=context.workspace,
        name=context.free_name(LanguageModel, location.rstrip("/").rsplit("/", 1)[-1][:100]),
        source=LanguageModel.Source.FOLDER if is_folder else LanguageModel.Source.HUB,
        location=location,
    )


def _start(context: Context, algorithm: str, **inputs: Any) -> TrainingRun:
    run = training.start_training_run(
        workspace=context.workspace,
        name=context.named(algorithm.upper() if algorithm != "reward" else "Reward model"),
        algorithm=algorithm,
        config=config_of(context.options, algorithm),
        seed=context.options.seed,
        **inputs,
    )
    context.put(f"{algorithm}_run", run)
    return run


def _publish(context: Context, algorithm: str, title: str, shown: list[str]) -> str:
    """Publish the final checkpoint and sum up the last numbers."""
    run = context.get(TrainingRun, f"{algorithm}_run")
    checkpoint = run.checkpoints.get(is_final=True)
    model = training.publish_checkpoint(
        checkpoint=checkpoint, name=context.free_name(LanguageModel, context.named(title))
    )
    context.put(f"{algorithm}_model", model)
    values: dict[str, float] = {}
    for metric in Metric.objects.filter(run=run).order_by("step", "kind"):
        values.update(metric.values)
    numbers = ", ".join(f"{name.replace('_', ' ')} {values[name]:.3g}" for name in shown if name in values)
    return f"{checkpoint.step} steps in {run.seconds or 0:.0f} s; {numbers}"
