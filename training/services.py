"""Writes to training runs and checkpoints."""

from typing import Any

from django.db import transaction

from accounts.models import User, Workspace
from annotation.models import Dataset
from core import jobs
from core.errors import ConcordError
from generation import services as generation
from generation.models import LanguageModel, PromptSet
from training import data_reports, preflight
from training.algorithms.config import Config, InvalidConfiguration, PPOConfig, config_fields, parse_config
from training.algorithms.retention import mark_kept
from training.models import Checkpoint, DataReport, TrainingRun

Algorithm = TrainingRun.Algorithm
DATASET_KINDS: dict[str, tuple[str, ...]] = {  # what each algorithm can be trained on; PPO takes a prompt set
    Algorithm.SFT: (Dataset.Kind.DEMONSTRATIONS,),
    Algorithm.REWARD: (Dataset.Kind.PREFERENCES, Dataset.Kind.RANKINGS),
    Algorithm.DPO: (Dataset.Kind.PREFERENCES,),
    Algorithm.KTO: (Dataset.Kind.LABELS, Dataset.Kind.PREFERENCES),
    Algorithm.ORPO: (Dataset.Kind.PREFERENCES,),
    Algorithm.SIMPO: (Dataset.Kind.PREFERENCES,),
}
MAX_SEED = 2**63 - 1


class TrainingRefused(ConcordError):
    """A training run was asked for that cannot be carried out."""

    status = 422
    title = "This training run cannot start"


class CheckpointUnmerged(ConcordError):
    """A checkpoint holds an adapter without its base, which only training and scoring can read."""

    status = 409
    title = "This checkpoint is an adapter alone"


def start_training_run(
    *,
    workspace: Workspace,
    name: str,
    algorithm: str,
    config: dict[str, Any],
    seed: int = 0,
    dataset: Dataset | None = None,
    prompt_set: PromptSet | None = None,
    init_model: LanguageModel | None = None,
    reward_model: LanguageModel | None = None,
    held_out_reward_model: LanguageModel | None = None,
    user: User | None = None,
) -> TrainingRun:
    """Queue a training run. Raises `TrainingRefused` naming what does not fit."""
    settings = checked_config(algorithm, config)
    if not 0 <= seed <= MAX_SEED:
        raise TrainingRefused(f"seed must lie in 0–{MAX_SEED}, got {seed}.")
    _check_data(algorithm, dataset, prompt_set)
    check_models(algorithm, init_model, reward_model)
    check_judge(settings, reward_model, held_out_reward_model)
    parts = (dataset, prompt_set, init_model, reward_model, held_out_reward_model)
    if any(part is not None and part.workspace_id != workspace.pk for part in parts):
        raise TrainingRefused("The dataset, the prompt set and the models must belong to the run's workspace.")
    with transaction.atomic():
        on_data: dict[str, Any] = {"dataset": dataset, "prompt_set": prompt_set, "init_model": init_model}
        report = data_reports.request_report(
            workspace=workspace, algorithm=algorithm, config=settings, user=user, **on_data
        )
        estimate = preflight.estimate_run(algorithm=algorithm, config=settings, report=report, **on_data)
        if reason := preflight.why_not(estimate) or preflight.too_long(settings, init_model):
            raise TrainingRefused(reason)
        run = TrainingRun.objects.create(
            workspace=workspace,
            name=name,
            algorithm=algorithm,
            config=config_fields(settings),
            seed=seed,
            reward_model=reward_model,
            held_out_reward_model=held_out_reward_model,
            data_report=report,
            estimate=estimate.as_json(),
            created_by=user,
            **on_data,
        )
        jobs.enqueue(run)
    return run


def checked_config(algorithm: str, config: dict[str, Any]) -> Config:
    """The complete configuration. Raises `TrainingRefused` naming the field."""
    if algorithm not in Algorithm.values:
        raise TrainingRefused(f"algorithm must be one of {', '.join(Algorithm.values)}, got {algorithm!r}.")
    try:
        return parse_config(algorithm, config)
    except InvalidConfiguration as error:
        raise TrainingRefused(str(error)) from error


def report_on_data(
    *,
    algorithm: str,
    config: dict[str, Any],
    dataset: Dataset | None = None,
    prompt_set: PromptSet | None = None,
    init_model: LanguageModel | None = None,
    user: User | None = None,
    tries_again: bool = True,
) -> DataReport:
    """Ask for a report on data; one that failed is written anew if `tries_again`.

    Raises `TrainingRefused` if the algorithm cannot be trained on them.
    """
    settings = checked_config(algorithm, config)
    _check_data(algorithm, dataset, prompt_set)
    workspace = (dataset or prompt_set).workspace  # type: ignore[union-attr] # one of them is there
    if init_model is not None and init_model.workspace_id != workspace.pk:
        raise TrainingRefused("The data and the model must belong to one workspace.")
    return data_reports.request_report(
        workspace=workspace,
        algorithm=algorithm,
        config=settings,
        dataset=dataset,
        prompt_set=prompt_set,
        init_model=init_model,
        user=user,
        tries_again=tries_again,
    )


def estimate_of(
    *,
    workspace: Workspace,
    algorithm: str,
    config: dict[str, Any],
    dataset: Dataset | None = None,
    prompt_set: PromptSet | None = None,
    init_model: LanguageModel | None = None,
    **_: Any,
) -> dict[str, Any]:
    """What such a run would need, whether it would be refused, and what may go wrong. Raises `TrainingRefused`."""
    settings = checked_config(algorithm, config)
    _check_data(algorithm, dataset, prompt_set)
    parts = (dataset, prompt_set, init_model)
    if any(part is not None and part.workspace_id != workspace.pk for part in parts):
        raise TrainingRefused("The data and the model must belong to the run's workspace.")
    on_data: dict[str, Any] = {"dataset": dataset, "prompt_set": prompt_set, "init_model": init_model}
    report = data_reports.known_report(algorithm=algorithm, config=settings, **on_data)
    estimate = preflight.estimate_run(algorithm=algorithm, config=settings, report=report, **on_data)
    refusal = preflight.why_not(estimate) or preflight.too_long(settings, init_model)
    warnings = preflight.warnings_of(estimate)
    return {**estimate.as_json(), "refusal": refusal, "warnings": warnings}


def publish_checkpoint(*, checkpoint: Checkpoint, name: str) -> LanguageModel:
    """Make a checkpoint a language model that can sample, be trained on, or score; once published, the same one.

    Raises `TrainingRefused` if its run has removed it, and `CheckpointUnmerged` for an adapter without its base.
    """
    with transaction.atomic():
        locked = Checkpoint.objects.select_for_update(of=("self",)).select_related("run").get(pk=checkpoint.pk)
        if locked.language_model is not None:
            published: LanguageModel = locked.language_model
            return published
        if (locked.folder / "adapter").is_dir() and not (locked.folder / "config.json").exists():
            command = f"python -m training.algorithms.merge {locked.folder}"
            raise CheckpointUnmerged(f"Publish the run's final checkpoint, or merge this one first: {command}")
        is_reward = locked.run.algorithm == Algorithm.REWARD
        model = generation.register_model(
            workspace=locked.run.workspace,
            name=name,
            kind=LanguageModel.Kind.REWARD if is_reward else LanguageModel.Kind.POLICY,
            source=LanguageModel.Source.FOLDER,
            location=str(locked.folder),
            parent=locked.run.init_model,
        )
        _keep(locked)
        locked.language_model = model
        locked.save(update_fields=["language_model"])
    return model


def _keep(checkpoint: Checkpoint) -> None:
    """Mark its folder, so that the run never removes it as an older one."""
    try:
        mark_kept(checkpoint.folder)
    except FileNotFoundError as error:
        raise TrainingRefused(
            f"The checkpoint of step {checkpoint.step} is gone: a run keeps its newest ones and the best one. Publish "
            "one of those, or raise keep_checkpoints in the next run."
        ) from error


def _check_data(algorithm: str, dataset: Dataset | None, prompt_set: PromptSet | None) -> None:
    if algorithm == Algorithm.PPO:
        if prompt_set is None or dataset is not None:
            raise TrainingRefused("PPO trains on the prompts of a prompt set: give prompt_set and no dataset.")
        return
    if dataset is None or prompt_set is not None:
        raise TrainingRefused(f"{algorithm} trains on a frozen dataset: give dataset and no prompt_set.")
    wanted = DATASET_KINDS[algorithm]
    if dataset.kind not in wanted:
        raise TrainingRefused(f"{algorithm} needs a dataset of {' or '.join(wanted)}, {dataset} holds {dataset.kind}.")
    if dataset.status != Dataset.Status.FINISHED:
        raise TrainingRefused(f"{dataset} is {dataset.status}; only a finished dataset can be trained on.")


def check_models(algorithm: str, init_model: LanguageModel | None, reward_model: LanguageModel | None = None) -> None:
    """Raises `TrainingRefused` unless training by this algorithm can start from the models."""
    if init_model is None and algorithm != Algorithm.SFT:
        raise TrainingRefused(f"{algorithm} starts from a model: give init_model.")
    if init_model is not None and init_model.source in {LanguageModel.Source.SERVED, LanguageModel.Source.NAMED}:
        source = init_model.get_source_display().lower()
        raise TrainingRefused(f"{init_model} is a {source}; training needs its weights: a folder or a hub id.")
    if init_model is not None and init_model.kind != LanguageModel.Kind.POLICY:
        raise TrainingRefused(f"Training starts from a policy, {init_model} is a {init_model.get_kind_display()}.")
    if (reward_model is not None) != (algorithm == Algorithm.PPO):
        raise TrainingRefused("PPO needs reward_model, and no other algorithm takes one.")
    if reward_model is not None and reward_model.kind != LanguageModel.Kind.REWARD:
        raise TrainingRefused(f"{reward_model} is not a reward model.")


def check_judge(settings: Config, reward_model: LanguageModel | None, judge: LanguageModel | None) -> None:
    """Raises `TrainingRefused` unless the held-out judge, if there is one, can tell something of the reward model."""
    if judge is None:
        return
    if not isinstance(settings, PPOConfig):
        raise TrainingRefused("Only PPO takes held_out_reward_model.")
    if judge.kind != LanguageModel.Kind.REWARD or not judge.has_weights:
        raise TrainingRefused(f"held_out_reward_model must be a reward model with weights, {judge} is not.")
    if reward_model is not None and judge.location == reward_model.location:
        raise TrainingRefused("held_out_reward_model must be another one than reward_model: it is what checks it.")
    if not settings.eval_every:
        raise TrainingRefused("held_out_reward_model is asked at evaluations: set eval_every above 0.")
