"""Writes to evaluation runs."""

from collections.abc import Sequence

from django.db import transaction

from accounts.models import User, Workspace
from annotation.judges import RUBRIC, newest_version, spec_of
from annotation.judging import why_not
from annotation.models import Annotator, Dataset, JudgeVersion
from core import jobs
from core.errors import ConcordError
from evaluation.models import EvaluationRun
from evaluation.pair_verdicts import PAIRWISE, spec_in_both_orders
from generation.engine_choice import check_startable
from generation.models import LanguageModel, SamplingRun, ScoringRun

Kind = EvaluationRun.Kind
MAX_SEED = 2**63 - 1


class EvaluationRefused(ConcordError):
    """An evaluation was asked for that cannot be carried out."""

    status = 422
    title = "This evaluation cannot start"


def start_evaluation(
    *,
    workspace: Workspace,
    name: str,
    kind: str,
    subjects: Sequence[LanguageModel],
    baseline: LanguageModel | None = None,
    sampling_run: SamplingRun | None = None,
    scoring_run: ScoringRun | None = None,
    judge: Annotator | None = None,
    judge_version: JudgeVersion | None = None,
    conflict: str = "",
    uses_managed_server: bool = False,
    dataset: Dataset | None = None,
    seed: int = 0,
    user: User | None = None,
) -> EvaluationRun:
    """Queue an evaluation. Raises `EvaluationRefused` naming what is missing.

    With `scoring_run` a win rate's baseline shows, of its replies to each prompt, the one with the highest score.

    An LLM judge is named by itself (its newest version judges) or by a version; `conflict` says what two orders that
    disagree count as, and defaults to the version's own policy. With `uses_managed_server` a vLLM server runs for as
    long as the judge is asked. Raises `ServingRefused` if the judge has no weights that one could be started for.
    """
    if not 0 <= seed <= MAX_SEED:
        raise EvaluationRefused(f"seed must lie in 0–{MAX_SEED}, got {seed}.")
    if kind == Kind.WIN_RATE:
        judge = judge or (judge_version.judge if judge_version else None)
    _check_kind(kind, subjects, baseline, sampling_run, scoring_run, judge, dataset)
    parts = (*subjects, baseline, sampling_run, judge, dataset)
    if any(part is not None and part.workspace_id != workspace.pk for part in parts):
        raise EvaluationRefused("Everything evaluated must belong to the evaluation's workspace.")
    judge_version, conflict = _version_and_conflict(judge if kind == Kind.WIN_RATE else None, judge_version, conflict)
    if uses_managed_server:
        _check_server(judge_version)
    with transaction.atomic():
        run = EvaluationRun.objects.create(
            workspace=workspace,
            name=name,
            kind=kind,
            baseline=baseline,
            sampling_run=sampling_run,
            scoring_run=scoring_run,
            judge=judge,
            judge_version=judge_version,
            conflict=conflict,
            uses_managed_server=uses_managed_server,
            dataset=dataset,
            seed=seed,
            created_by=user,
        )
        run.subjects.set(subjects)
        jobs.enqueue(run)
    return run


def _check_kind(
    kind: str,
    subjects: Sequence[LanguageModel],
    baseline: LanguageModel | None,
    sampling_run: SamplingRun | None,
    scoring_run: ScoringRun | None,
    judge: Annotator | None,
    dataset: Dataset | None,
) -> None:
    """Raise `EvaluationRefused` for a part that this kind of evaluation lacks, or has no use for."""
    if not subjects:
        raise EvaluationRefused("Name at least one model to evaluate.")
    if kind == Kind.WIN_RATE:
        _check_win_rate(subjects, baseline, sampling_run, judge)
        _check_best_of(baseline, sampling_run, scoring_run)
    elif scoring_run is not None:
        raise EvaluationRefused("scoring_run chooses the best replies of a win rate's baseline; leave it out here.")
    elif kind == Kind.PREFERENCE_ACCURACY:
        _check_preference_accuracy(subjects, baseline, dataset)
    else:
        raise EvaluationRefused(f"kind must be one of {', '.join(Kind.values)}, got {kind!r}.")


def check_comparing_judge(judge: Annotator, *, uses_managed_server: bool = False) -> None:
    """Raises `EvaluationRefused` unless the judge, by its newest version, can compare two replies by itself."""
    _check_is_judge(judge)
    version, _ = _version_and_conflict(judge, None, "")
    if uses_managed_server:
        _check_server(version)


def _check_is_judge(judge: Annotator) -> None:
    if judge.kind != Annotator.Kind.JUDGE:
        raise EvaluationRefused(f"{judge} is not a judge; comparisons by people belong to a campaign.")


def _check_win_rate(
    subjects: Sequence[LanguageModel],
    baseline: LanguageModel | None,
    sampling_run: SamplingRun | None,
    judge: Annotator | None,
) -> None:
    if baseline is None or sampling_run is None or judge is None:
        raise EvaluationRefused("A win rate needs baseline, sampling_run (with completions of every model) and judge.")
    _check_is_judge(judge)
    if sampling_run.status != SamplingRun.Status.FINISHED:
        raise EvaluationRefused(f"{sampling_run} is {sampling_run.status}; wait until it has finished.")
    sampled = list(sampling_run.arms.values_list("model_id", flat=True))
    for model in (*subjects, baseline):
        if model.pk not in sampled:
            raise EvaluationRefused(f"{sampling_run} holds no completions of {model}.")
        if sampled.count(model.pk) > 1:
            raise EvaluationRefused(f"{model} has several arms in {sampling_run}; a win rate compares models of one.")
    if baseline in subjects:
        raise EvaluationRefused(f"{baseline} cannot be compared with itself.")


def _check_best_of(
    baseline: LanguageModel | None, sampling_run: SamplingRun | None, scoring_run: ScoringRun | None
) -> None:
    if scoring_run is None or baseline is None or sampling_run is None:
        return
    if scoring_run.sampling_run_id != sampling_run.pk:
        raise EvaluationRefused(f"{scoring_run} scores other completions than those of {sampling_run}.")
    if scoring_run.status != ScoringRun.Status.FINISHED:
        raise EvaluationRefused(f"{scoring_run} is {scoring_run.status}; wait until it has finished.")
    num_replies = sampling_run.arms.get(model=baseline).num_completions
    if num_replies < 2:
        raise EvaluationRefused(
            f"{baseline} has one reply to each prompt in {sampling_run}; sample 2 or more to show the best of them."
        )


def _version_and_conflict(
    judge: Annotator | None, version: JudgeVersion | None, conflict: str
) -> tuple[JudgeVersion | None, str]:
    """The version that judges and its conflict policy; (None, "") for scripted judges and without a judge."""
    if judge is None or judge.protocol == RUBRIC:
        if version is not None or conflict:
            raise EvaluationRefused("judge_version and conflict are for judges with a language model.")
        return None, ""
    if version is not None and version.judge_id != judge.pk:
        raise EvaluationRefused(f"{version} is no version of {judge}.")
    version = version or newest_version(judge)
    if version is None:
        raise EvaluationRefused(f"{judge} is a panel, which asks no model itself: evaluate with each of its members.")
    spec = spec_of(version)
    conflict = conflict or spec.conflict
    if conflict not in EvaluationRun.Conflict.values:
        raise EvaluationRefused(
            f"conflict must be one of {', '.join(EvaluationRun.Conflict.values)}, got {conflict!r}."
        )
    if reason := why_not(spec_in_both_orders(spec, conflict), PAIRWISE):
        raise EvaluationRefused(f"{version} cannot compare two replies: {reason}.")
    return version, conflict


def _check_server(version: JudgeVersion | None) -> None:
    if version is None:
        raise EvaluationRefused("uses_managed_server is for judges with a language model.")
    check_startable(version.model, adapter=version.adapter)


def _check_preference_accuracy(
    subjects: Sequence[LanguageModel], baseline: LanguageModel | None, dataset: Dataset | None
) -> None:
    if dataset is None or dataset.kind != Dataset.Kind.PREFERENCES:
        raise EvaluationRefused("Preference accuracy needs a dataset of preferences.")
    if dataset.status != Dataset.Status.FINISHED:
        raise EvaluationRefused(f"{dataset} is {dataset.status}; wait until it is frozen.")
    policies = [model for model in subjects if model.kind == LanguageModel.Kind.POLICY]
    if policies and baseline is None:
        raise EvaluationRefused(f"{policies[0]} is a policy: its implicit reward needs its reference as baseline.")
    references = [baseline] if baseline is not None else []
    without_weights = {LanguageModel.Source.SERVED, LanguageModel.Source.NAMED}
    for model in (*subjects, *references):
        if model.source in without_weights:
            raise EvaluationRefused(f"A {model.source} model cannot be scored; name a folder or a hub id.")
