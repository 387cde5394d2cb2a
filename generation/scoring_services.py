"""Starting scoring runs, and keeping what reward models say."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import User, Workspace
from core import jobs
from core.errors import ConcordError
from generation.models import Completion, CompletionScore, LanguageModel, SamplingRun, ScoringRun

_LOADABLE = (LanguageModel.Source.FOLDER, LanguageModel.Source.HUB)


class ScoringRefused(ConcordError):
    """A scoring run was asked for that cannot be carried out."""

    status = 422
    title = "This scoring run cannot start"


def start_scoring_run(
    *,
    workspace: Workspace,
    name: str,
    sampling_run: SamplingRun,
    reward_model: LanguageModel,
    user: User | None = None,
) -> ScoringRun:
    """Queue the scoring of all completions of a sampling run that has ended. Raises `ScoringRefused`."""
    _check(workspace, sampling_run, reward_model)
    with transaction.atomic():
        run = ScoringRun.objects.create(
            workspace=workspace, name=name, sampling_run=sampling_run, reward_model=reward_model, created_by=user
        )
        jobs.enqueue(run)
    return run


def _check(workspace: Workspace, sampling_run: SamplingRun, reward_model: LanguageModel) -> None:
    if {sampling_run.workspace_id, reward_model.workspace_id} != {workspace.pk}:
        raise ScoringRefused("The sampling run and the reward model must belong to the run's workspace.")
    if reward_model.kind != LanguageModel.Kind.REWARD:
        raise ScoringRefused(f"{reward_model} is a {reward_model.get_kind_display().lower()}, not a reward model.")
    if reward_model.source not in _LOADABLE:
        raise ScoringRefused(f"{reward_model} has no weights here: reward models are loaded from a folder or a hub id.")
    if not sampling_run.has_ended:
        raise ScoringRefused(f"{sampling_run} goes on; score its completions when it has ended.")
    if not sampling_run.completions.exists():
        raise ScoringRefused(f"{sampling_run} has no completions to score.")


def unscored(run: ScoringRun) -> QuerySet[Completion]:
    """The completions that the run has no score of yet."""
    rows = run.sampling_run.completions.exclude(scores__run=run)
    ordered: QuerySet[Completion] = rows.select_related("prompt").order_by("prompt_id", "pk")
    return ordered


def store_scores(*, run: ScoringRun, scores: Mapping[int, Sequence[float]]) -> None:
    """Keep by completion what each member of the reward model says. The attempt must still own the run."""
    with transaction.atomic():
        jobs.renew(run, num_done=run.num_done + len(scores))
        CompletionScore.objects.bulk_create(
            CompletionScore(
                run=run, completion_id=pk, value=fmean(members), members=members if len(members) > 1 else []
            )
            for pk, members in scores.items()
        )


def scores_of(run: ScoringRun) -> dict[int, float]:
    """Completion → score."""
    return dict(run.scores.order_by().values_list("completion_id", "value"))


def member_scores_of(run: ScoringRun) -> dict[int, list[float]]:
    """Completion → what each member of an ensemble says; empty where a single head spoke."""
    return dict(run.scores.exclude(members=[]).order_by().values_list("completion_id", "members"))
