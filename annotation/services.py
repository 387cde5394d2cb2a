"""Writes to campaigns, annotators, judging runs and datasets."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from accounts.models import User, Workspace
from annotation import campaign_policy, campaign_versions, quality_pauses
from annotation.comparison_choice import CandidateChoice, chosen_groups
from annotation.judges import check_can_answer, check_judge, newest_version
from annotation.models import (
    Annotator,
    Campaign,
    Comparison,
    Dataset,
    Enrolment,
    JudgeVersion,
    JudgingRun,
)
from annotation.new_comparisons import NewComparison, create_comparisons
from annotation.question import Question
from core import jobs
from core.errors import ConcordError, IllegalTransition
from generation.engine_choice import check_startable
from generation.models import PromptSet, SamplingRun, ScoringRun

Status = Campaign.Status
TRANSITIONS: dict[Status, set[Status]] = {
    Status.DRAFT: {Status.OPEN, Status.CLOSED},
    Status.OPEN: {Status.PAUSED, Status.CLOSED},
    Status.PAUSED: {Status.OPEN, Status.CLOSED},
    Status.CLOSED: set(),
}


class CampaignRefused(ConcordError):
    """A campaign cannot be made or filled like this."""

    status = 422
    title = "This campaign cannot be set up like that"


class DatasetRefused(ConcordError):
    """A dataset cannot be frozen from this."""

    status = 422
    title = "This dataset cannot be frozen"


def create_campaign(
    *,
    workspace: Workspace,
    name: str,
    question: Question,
    guidelines: str = "",
    overlap: int = 1,
    lease_seconds: int = 600,
    policy: Mapping[str, Any] | None = None,
    user: User | None = None,
) -> Campaign:
    """A campaign in draft; `policy` names settings of `campaign_policy`. Raises `CampaignRefused`, `PolicyInvalid`."""
    if Campaign.objects.filter(workspace=workspace, name=name).exists():
        raise CampaignRefused(f"{workspace} already has a campaign called {name!r}; choose another name.")
    if overlap < 1 or lease_seconds < 1:
        raise CampaignRefused(
            f"A comparison needs at least 1 judgment and a lease at least 1 second; got {overlap} and {lease_seconds}."
        )
    with transaction.atomic():
        campaign = Campaign.objects.create(
            workspace=workspace,
            name=name,
            question=question.to_json(),
            guidelines=guidelines,
            overlap=overlap,
            lease_seconds=lease_seconds,
            created_by=user,
        )
        campaign_versions.keep(campaign, user)
        if policy:
            campaign_policy.set_policy(campaign=campaign, **policy)
    return campaign


def set_status(*, campaign: Campaign, status: str) -> Campaign:
    """Open, pause or close a campaign. Raises `IllegalTransition`."""
    with transaction.atomic():
        locked = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if status not in TRANSITIONS[Status(locked.status)]:
            raise IllegalTransition(f"{campaign} is {locked.status} and cannot become {status}.")
        if status == Status.OPEN and not locked.comparisons.exists():
            raise IllegalTransition(f"{campaign} has no comparisons to judge; add some before opening it.")
        locked.status = status
        locked.save(update_fields=["status"])
    campaign.status = status
    return campaign


def add_comparisons(
    *,
    campaign: Campaign,
    sampling_run: SamplingRun,
    size: int | None = None,
    max_per_prompt: int | None = None,
    max_comparisons: int | None = None,
    overlap: int | None = None,
    priority: int = 0,
    seed: int = 0,
    choice: str = Comparison.Choice.RANDOM,
    scoring_run: ScoringRun | None = None,
) -> int:
    """Compare the distinct completions of each prompt of a sampling run; returns how many comparisons are new.

    `size` defaults to the question's number of completions. Near-duplicates are never compared. Of many possible
    groups `max_per_prompt` are taken: a seeded choice, or those whose scores lie widest apart or closest together, or
    about which a reward ensemble's members disagree most.
    Adding the same run again adds nothing twice. Raises `CampaignRefused`, `ChoiceRefused`.
    """
    how = CandidateChoice(choice=choice, scoring_run=scoring_run)
    how.check(sampling_run)
    wanted = Question.from_json(campaign.question).num_completions
    size = wanted if size is None else size
    _check_addition(campaign, sampling_run, size, wanted)
    rng = random.Random(seed)  # noqa: S311 -- a reproducible choice, not a secret
    groups = chosen_groups(
        sampling_run.completions.distinct_texts().select_related("prompt"),
        size=size,
        how=how,
        max_per_prompt=max_per_prompt,
        rng=rng,
    )
    if max_comparisons is not None:
        rng.shuffle(groups)
        groups = groups[:max_comparisons]
    made = create_comparisons(
        campaign=campaign,
        groups=groups,
        overlap=overlap,
        priority=priority,
        choice=how.choice,
        scoring_run=how.scoring_run,
    )
    return len(made)


def add_prompts(
    *, campaign: Campaign, prompt_set: PromptSet, overlap: int | None = None, max_prompts: int | None = None
) -> int:
    """Ask for a demonstration of each prompt; returns how many are new. Raises `CampaignRefused`."""
    if campaign.status == Status.CLOSED:
        raise CampaignRefused(f"{campaign} is closed; nothing can be added to it.")
    if campaign.workspace_id != prompt_set.workspace_id:
        raise CampaignRefused("The prompt set must belong to the campaign's workspace.")
    if (wanted := Question.from_json(campaign.question).num_completions) != 0:
        raise CampaignRefused(f"The question of {campaign} is about {wanted} completions; sample some and add those.")
    prompts = prompt_set.prompts.order_by("pk")[:max_prompts]
    groups = [NewComparison(prompt=prompt, completions=()) for prompt in prompts]
    return len(create_comparisons(campaign=campaign, groups=groups, overlap=overlap))


def _check_addition(campaign: Campaign, sampling_run: SamplingRun, size: int, wanted: int) -> None:
    if campaign.status == Status.CLOSED:
        raise CampaignRefused(f"{campaign} is closed; nothing can be added to it.")
    if campaign.workspace_id != sampling_run.workspace_id:
        raise CampaignRefused("The sampling run must belong to the campaign's workspace.")
    if size != wanted:
        raise CampaignRefused(f"The question of {campaign} compares {wanted} completions, not {size}.")


def person_annotator(*, workspace: Workspace, user: User) -> Annotator:
    """The user as an annotator of the workspace, made on first use."""
    annotator, _ = Annotator.objects.get_or_create(
        workspace=workspace, user=user, defaults={"kind": Annotator.Kind.PERSON, "name": user.username}
    )
    return annotator


def create_judge(*, workspace: Workspace, name: str, protocol: str, parameters: dict[str, Any]) -> Annotator:
    """A judge. Raises `JudgeInvalid` for an unknown protocol or parameter, `CampaignRefused` for a taken name."""
    check_judge(protocol, parameters)
    if Annotator.objects.filter(workspace=workspace, name=name).exists():
        raise CampaignRefused(f"{workspace} already has an annotator called {name!r}; choose another name.")
    return Annotator.objects.create(
        workspace=workspace, kind=Annotator.Kind.JUDGE, name=name, protocol=protocol, parameters=parameters
    )


def enrol(*, campaign: Campaign, annotator: Annotator) -> Enrolment:
    """Let the annotator take tasks of the campaign (again)."""
    if campaign.workspace_id != annotator.workspace_id:
        raise CampaignRefused("The annotator must belong to the campaign's workspace.")
    enrolment, is_new = Enrolment.objects.get_or_create(campaign=campaign, annotator=annotator)
    if not is_new and not enrolment.is_active:
        quality_pauses.resume(campaign=campaign, annotator=annotator)
        enrolment.refresh_from_db()
    return enrolment


def start_judging_run(
    *,
    campaign: Campaign,
    annotator: Annotator,
    kind: str = JudgingRun.Kind.ANSWER,
    max_comparisons: int | None = None,
    uses_managed_server: bool = False,
    user: User | None = None,
) -> JudgingRun:
    """Queue a judge's work on a campaign, enrolling it. What it had no verdict on before, it tries once more.

    With `uses_managed_server` a vLLM server runs for as long as it is asked. Raises `CampaignRefused` unless it is a
    judge that is not paused, `JudgeInvalid` if it cannot answer the question, `ServingRefused` if it has no weights.
    """
    if annotator.kind != Annotator.Kind.JUDGE:
        raise CampaignRefused(f"{annotator} is not a judge; people answer in the browser.")
    if campaign.workspace_id != annotator.workspace_id:
        raise CampaignRefused("The annotator must belong to the campaign's workspace.")
    version = newest_version(annotator)
    if kind not in JudgingRun.Kind.values:
        raise CampaignRefused(f"kind must be one of {', '.join(JudgingRun.Kind.values)}, got {kind!r}.")
    if kind != JudgingRun.Kind.ANSWER and version is None:
        raise CampaignRefused(f"{annotator} has no language model: only judges with one are calibrated or attacked.")
    if uses_managed_server:
        _check_startable(annotator, version)
    if version is not None:
        check_can_answer(annotator, Question.from_json(campaign.question))
    with transaction.atomic():
        _require_active(campaign, annotator)
        campaign.skips.filter(annotator=annotator).delete()
        run = JudgingRun.objects.create(
            campaign=campaign,
            annotator=annotator,
            kind=kind,
            version=version,
            max_comparisons=max_comparisons,
            uses_managed_server=uses_managed_server,
            created_by=user,
        )
        jobs.enqueue(run)
    return run


def _check_startable(annotator: Annotator, version: JudgeVersion | None) -> None:
    if version is None:
        raise CampaignRefused(f"{annotator} has no language model that a server could be started for.")
    check_startable(version.model, adapter=version.adapter)


def _require_active(campaign: Campaign, annotator: Annotator) -> None:
    """Enrol a judge on its first run; a paused one stays paused until somebody enrols it again."""
    enrolment, _ = Enrolment.objects.get_or_create(campaign=campaign, annotator=annotator)
    if not enrolment.is_active:
        reason = enrolment.pause_reason or "no reason was given"
        raise CampaignRefused(f"{annotator} is paused in {campaign} ({reason}); enrol it again before it judges.")


def start_freeze(
    *,
    workspace: Workspace,
    name: str,
    kind: str = Dataset.Kind.PREFERENCES,
    campaigns: Sequence[Campaign] = (),
    prompt_set: PromptSet | None = None,
    filter: dict[str, Any] | None = None,  # the word of the data model
    user: User | None = None,
) -> Dataset:
    """Queue the freezing of a dataset. Raises `DatasetRefused`."""
    from annotation.dataset_filter import DatasetFilter

    if Dataset.objects.filter(workspace=workspace, name=name).exists():
        raise DatasetRefused(
            f"{workspace} already has a dataset called {name!r}; datasets never change, name a new one."
        )
    if kind not in Dataset.Kind.values:
        raise DatasetRefused(f"kind must be one of {', '.join(Dataset.Kind.values)}, got {kind!r}.")
    if bool(campaigns) == (prompt_set is not None):
        raise DatasetRefused("Name either campaigns (their judgments) or a prompt set (its reference answers).")
    if prompt_set is not None and kind != Dataset.Kind.DEMONSTRATIONS:
        raise DatasetRefused(f"A prompt set gives demonstrations only; {kind} come from campaigns.")
    owners = {campaign.workspace_id for campaign in campaigns} | ({prompt_set.workspace_id} if prompt_set else set())
    if owners != {workspace.pk}:
        raise DatasetRefused("The campaigns and the prompt set must belong to the dataset's workspace.")
    checked = DatasetFilter.from_json(filter or {})
    if kind == Dataset.Kind.RANKINGS and checked.min_p_chosen != DatasetFilter.min_p_chosen:
        raise DatasetRefused("min_p_chosen is about pairs; rankings are kept with all of their ties. Leave it out.")
    with transaction.atomic():
        dataset = Dataset.objects.create(
            workspace=workspace,
            name=name,
            kind=Dataset.Kind(kind),
            prompt_set=prompt_set,
            filter=checked.to_json(),
            created_by=user,
        )
        dataset.campaigns.set(campaigns)
        jobs.enqueue(dataset)
    return dataset
