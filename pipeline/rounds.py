"""Starting the next round from a published checkpoint, and filling its campaign once the replies are there."""

from __future__ import annotations

from dataclasses import replace

from django.db import transaction

from accounts.models import User
from annotation import campaign_policy
from annotation import services as annotation
from annotation.models import Annotator, Campaign
from annotation.question import Question
from core.errors import ConcordError
from core.models import Job
from generation import services as generation
from generation.models import LanguageModel, PromptSet, SamplingRun
from generation.services import ArmSpec
from pipeline.context import free_name
from pipeline.models import Round

MAX_NAME = 110


class RoundRefused(ConcordError):
    """The next round cannot be started like this."""

    status = 422
    title = "This round cannot start"


def start_round(
    *,
    model: LanguageModel,
    former: Campaign,
    prompt_set: PromptSet | None = None,
    beside: LanguageModel | None = None,
    num_completions: int | None = None,
    max_prompts: int | None = None,
    max_per_prompt: int = 1,
    opens: bool = True,
    seed: int = 0,
    user: User | None = None,
) -> Round:
    """Sample by `model`, and by `beside` too if it is named, into a new campaign that asks as `former` did.

    The prompts and the way of sampling are those of the former campaign's newest sampling run, unless `prompt_set` is
    another. `num_completions` of each model defaults to what a comparison shows. Raises `RoundRefused`, and what
    sampling and campaigns refuse.
    """
    question = Question.from_json(former.question)
    _check(model, former, prompt_set, beside, question)
    earlier = _sampling_of(former)
    prompts = prompt_set or (earlier.prompt_set if earlier else None)
    if prompts is None:
        raise RoundRefused(f"The replies of {former} were imported: name the prompt_set to write new ones for.")
    arms = _arms([model, *([beside] if beside else [])], earlier, num_completions or question.num_completions)
    number = _number_after(former)
    with transaction.atomic():
        sampling_run = generation.start_sampling_run(
            workspace=former.workspace,
            name=f"Round {number} by {model}"[:MAX_NAME],
            prompt_set=prompts,
            arms=arms,
            split=earlier.split if earlier and prompts == earlier.prompt_set else SamplingRun.Split.ALL,
            max_prompts=max_prompts,
            seed=seed,
            user=user,
        )
        return Round.objects.create(
            workspace=former.workspace,
            number=number,
            model=model,
            former=former,
            campaign=_like(
                former, free_name(Campaign, former.workspace, f"Round {number} by {model}"[:MAX_NAME]), user
            ),
            sampling_run=sampling_run,
            max_per_prompt=max_per_prompt,
            opens=opens,
            created_by=user,
        )


def fill_waiting() -> int:
    """Fill the campaigns whose replies are there; returns how many rounds have ended."""
    waiting = Round.objects.filter(status=Round.Status.SAMPLING).exclude(sampling_run__status__in=Job.UNENDED)
    return sum(fill(pk=pk) for pk in waiting.values_list("pk", flat=True))


def fill(*, pk: int) -> bool:
    """Add the comparisons and open the campaign, once. What is in the way is stored on the row."""
    with transaction.atomic():
        rows = Round.objects.select_for_update(skip_locked=True, of=("self",)).select_related(
            "campaign", "sampling_run"
        )
        found = rows.filter(pk=pk, status=Round.Status.SAMPLING).first()
        if found is None or not found.sampling_run.has_ended:
            return False
        try:
            with transaction.atomic():
                _fill(found)
            found.status = Round.Status.FILLED
        except ConcordError as error:
            found.status, found.error = Round.Status.FAILED, error.detail
        found.save(update_fields=["status", "error"])
    return True


def _fill(found: Round) -> None:
    run = found.sampling_run
    if run.status != SamplingRun.Status.FINISHED:
        raise RoundRefused(f"{run} is {run.status}. {run.error} Retry it, and add its replies to the campaign.")
    num_made = annotation.add_comparisons(
        campaign=found.campaign, sampling_run=run, max_per_prompt=found.max_per_prompt, seed=run.seed
    )
    if not num_made:
        raise RoundRefused(
            f"{run} holds no {found.campaign.question['num_completions']} different replies to a prompt."
        )
    if found.opens:
        annotation.set_status(campaign=found.campaign, status=Campaign.Status.OPEN)


def _check(
    model: LanguageModel, former: Campaign, prompts: PromptSet | None, beside: LanguageModel | None, asked: Question
) -> None:
    if getattr(model, "checkpoint", None) is None:
        raise RoundRefused(f"{model} is no published checkpoint: publish the checkpoint that shall write first.")
    if any(part is not None and part.workspace_id != former.workspace_id for part in (model, prompts, beside)):
        raise RoundRefused("The models, the prompt set and the campaign must belong to one workspace.")
    if asked.num_completions < 2:
        raise RoundRefused(f"{former} compares no replies: choose a campaign of pairs or rankings.")
    if beside == model:
        raise RoundRefused(f"{model} cannot stand beside itself.")


def _arms(models: list[LanguageModel], earlier: SamplingRun | None, num_completions: int) -> list[ArmSpec]:
    """Each model samples as the former arm did."""
    arm = earlier.arms.order_by("position").first() if earlier else None
    plain = ArmSpec(model=models[0], num_completions=num_completions)
    if arm is not None:
        plain = replace(
            plain,
            temperature=arm.temperature,
            top_p=arm.top_p,
            max_new_tokens=arm.max_new_tokens,
            stop=tuple(arm.stop),
            system_prompt=arm.system_prompt,
        )
    return [replace(plain, model=model) for model in models]


def _like(former: Campaign, name: str, user: User | None) -> Campaign:
    """A draft with the former's question, guidelines, policy and active annotators."""
    campaign = annotation.create_campaign(
        workspace=former.workspace,
        name=name,
        question=Question.from_json(former.question),
        guidelines=former.guidelines,
        overlap=former.overlap,
        lease_seconds=former.lease_seconds,
        policy={setting: getattr(former, setting) for setting in sorted(campaign_policy.SETTINGS)},
        user=user,
    )
    active = Annotator.objects.filter(enrolments__campaign=former, enrolments__is_active=True)
    for annotator in active.exclude(kind=Annotator.Kind.IMPORTED):
        annotation.enrol(campaign=campaign, annotator=annotator)
    return campaign


def _sampling_of(campaign: Campaign) -> SamplingRun | None:
    """The newest sampling run whose replies the campaign compares."""
    found: SamplingRun | None = (
        SamplingRun.objects.filter(completions__comparisons__campaign=campaign).order_by("-pk").first()
    )
    return found


def _number_after(former: Campaign) -> int:
    earlier: Round | None = Round.objects.filter(campaign=former).first()
    return earlier.number + 1 if earlier else 2
