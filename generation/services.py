"""Writes to prompt sets, language models and sampling runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from django.db import transaction

from accounts.models import User, Workspace
from core import jobs, urlguard
from core.errors import ConcordError
from generation.engine_choice import check_startable
from generation.engines.base import SamplingParameters
from generation.engines.errors import EngineError
from generation.engines.model_folder import check_model_folder
from generation.models import Completion, LanguageModel, Prompt, PromptSet, SamplingArm, SamplingRun
from generation.prompt_lines import NewPrompt
from generation.splits import fingerprint

# Models that are known by name only come with imported completions; nobody registers them.
USABLE_SOURCES = [source for source in LanguageModel.Source.values if source != LanguageModel.Source.NAMED]

MAX_ARMS = 50  # of one sampling run
MAX_ATTEMPTS = 20  # at one prompt


class NameTaken(ConcordError):
    """Another object of this kind in the workspace already has the name."""

    status = 409
    title = "The name is taken"


class PromptSetRefused(ConcordError):
    """A prompt set cannot be made like this."""

    status = 422
    title = "This prompt set cannot be made"


class ModelRefused(ConcordError):
    """A language model cannot be registered: its folder, id or endpoint is not usable."""

    status = 422
    title = "This model cannot be used"


class SamplingRefused(ConcordError):
    """A sampling run was asked for that cannot be carried out."""

    status = 422
    title = "This sampling run cannot start"


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What became of prompts that were to be added."""

    num_added: int
    num_known: int  # were in the set already, by fingerprint


@dataclass(frozen=True, kw_only=True)
class ArmSpec:
    """One arm of a sampling run that is not in the database yet; the columns are those of `SamplingArm`."""

    model: LanguageModel
    name: str = ""
    system_prompt: str = ""
    adapter: str = ""
    num_completions: int = 4
    temperature: float = 1.0
    top_p: float = 1.0
    max_new_tokens: int = 256
    stop: Sequence[str] = ()
    uses_managed_server: bool = False


def create_prompt_set(
    *,
    workspace: Workspace,
    name: str,
    description: str = "",
    source: str = "",
    licence: str = "",
    held_out_fraction: float = 0.3,
) -> PromptSet:
    """An empty prompt set. Raises `NameTaken` or `PromptSetRefused`."""
    if PromptSet.objects.filter(workspace=workspace, name=name).exists():
        raise NameTaken(f"{workspace} already has a prompt set called {name!r}; choose another name.")
    if not 0 <= held_out_fraction < 1:
        raise PromptSetRefused(f"held_out_fraction must lie in 0–1, and below 1, got {held_out_fraction}.")
    return PromptSet.objects.create(
        workspace=workspace,
        name=name,
        description=description,
        source=source,
        licence=licence,
        held_out_fraction=held_out_fraction,
    )


def add_prompts(*, prompt_set: PromptSet, prompts: Sequence[NewPrompt]) -> ImportReport:
    """Add checked prompts, those already in the set excepted. Adding the same ones twice changes nothing."""
    keyed = {fingerprint(prompt.messages): prompt for prompt in prompts}
    with transaction.atomic():
        num_before = prompt_set.prompts.count()
        store_prompts(prompt_set=prompt_set, prompts=keyed)
        num_added = prompt_set.prompts.count() - num_before
    return ImportReport(num_added=num_added, num_known=len(prompts) - num_added)


def store_prompts(*, prompt_set: PromptSet, prompts: Mapping[str, NewPrompt]) -> None:
    """Store checked prompts by their fingerprints; one that somebody else stored meanwhile is left as it is."""
    rows = [
        Prompt(
            prompt_set=prompt_set,
            messages=prompt.messages,
            fingerprint=key,
            reference=prompt.reference,
            tags=prompt.tags,
            is_sensitive=prompt.is_sensitive,
        )
        for key, prompt in prompts.items()
    ]
    Prompt.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)


def import_replies(*, prompt_set: PromptSet, replies: Mapping[str, str]) -> int:
    """Add replies (fingerprint of a prompt in the set → text) as imported completions; known ones are passed over."""
    imported = Completion.objects.filter(prompt__prompt_set=prompt_set, origin=Completion.Origin.IMPORTED)
    known = set(imported.values_list("prompt__fingerprint", "text"))
    prompts = prompt_set.prompts.filter(fingerprint__in=replies)
    new = [
        Completion(prompt=prompt, origin=Completion.Origin.IMPORTED, text=replies[prompt.fingerprint])
        for prompt in prompts
        if (prompt.fingerprint, replies[prompt.fingerprint]) not in known
    ]
    return len(Completion.objects.bulk_create(new, batch_size=2000))


def register_model(
    *,
    workspace: Workspace,
    name: str,
    source: str,
    location: str,
    kind: str = LanguageModel.Kind.POLICY,
    endpoint_url: str = "",
    parent: LanguageModel | None = None,
    prompt_price: Decimal | None = None,
    completion_price: Decimal | None = None,
) -> LanguageModel:
    """Make a model known by name. Raises `NameTaken`, `ModelRefused` or `UrlRefused`."""
    if LanguageModel.objects.filter(workspace=workspace, name=name).exists():
        raise NameTaken(f"{workspace} already has a model called {name!r}; choose another name.")
    _check_kind(kind, source)
    _check_location(source, location, endpoint_url)
    if any(price is not None and price < 0 for price in (prompt_price, completion_price)):
        raise ModelRefused("Prices for a million tokens must be 0 or more, or left out where they are not known.")
    return LanguageModel.objects.create(
        workspace=workspace,
        name=name,
        kind=LanguageModel.Kind(kind),
        source=LanguageModel.Source(source),
        location=location,
        endpoint_url=endpoint_url,
        parent=parent,
        prompt_price=prompt_price,
        completion_price=completion_price,
    )


def rename_model(*, model: LanguageModel, name: str) -> None:
    """Give a model another name. Raises `NameTaken`."""
    others = LanguageModel.objects.filter(workspace=model.workspace_id, name=name).exclude(pk=model.pk)
    if others.exists():
        raise NameTaken(f"{model.workspace} already has a model called {name!r}; choose another name.")
    model.name = name
    model.save(update_fields=["name"])


def _check_kind(kind: str, source: str) -> None:
    if kind not in LanguageModel.Kind.values:
        raise ModelRefused(f"kind must be one of {', '.join(LanguageModel.Kind.values)}, got {kind!r}.")
    if source not in USABLE_SOURCES:
        raise ModelRefused(f"source must be one of {', '.join(USABLE_SOURCES)}, got {source!r}.")


def _check_location(source: str, location: str, endpoint_url: str) -> None:
    if not location.strip():
        raise ModelRefused("A model needs a location: a folder, a hub id, or the name that its server uses.")
    if source == LanguageModel.Source.SERVED:
        urlguard.check(endpoint_url)
    elif endpoint_url:
        raise ModelRefused("Only a served model has an endpoint; leave endpoint_url empty or choose source=served.")
    if source == LanguageModel.Source.FOLDER:
        try:
            check_model_folder(Path(location))
        except EngineError as error:
            raise ModelRefused(str(error)) from error


def start_sampling_run(
    *,
    workspace: Workspace,
    name: str,
    prompt_set: PromptSet,
    arms: Sequence[ArmSpec],
    split: str = SamplingRun.Split.ALL,
    max_prompts: int | None = None,
    seed: int = 0,
    max_attempts: int = 3,
    user: User | None = None,
) -> SamplingRun:
    """Queue a sampling run. Raises `SamplingRefused` for arms that cannot be sampled."""
    _check_arms(workspace, prompt_set, arms)
    _check_extent(split, max_prompts, seed, max_attempts)
    with transaction.atomic():
        run = SamplingRun.objects.create(
            workspace=workspace,
            name=name,
            prompt_set=prompt_set,
            split=SamplingRun.Split(split),
            max_prompts=max_prompts,
            seed=seed,
            max_attempts=max_attempts,
            created_by=user,
        )
        SamplingArm.objects.bulk_create(_arm(run, position, arm) for position, arm in enumerate(arms))
        jobs.enqueue(run)
    return run


def _arm(run: SamplingRun, position: int, spec: ArmSpec) -> SamplingArm:
    return SamplingArm(
        run=run,
        position=position,
        prompt_price=spec.model.prompt_price,
        completion_price=spec.model.completion_price,
        **{**vars(spec), "stop": list(spec.stop)},
    )


def _check_arms(workspace: Workspace, prompt_set: PromptSet, arms: Sequence[ArmSpec]) -> None:
    if not 0 < len(arms) <= MAX_ARMS:
        raise SamplingRefused(f"Name at least one model to sample from, and at most {MAX_ARMS} arms.")
    if prompt_set.workspace_id != workspace.pk or any(arm.model.workspace_id != workspace.pk for arm in arms):
        raise SamplingRefused("The prompt set and the models must belong to the run's workspace.")
    if not prompt_set.prompts.exists():
        raise SamplingRefused(f"The prompt set {prompt_set} is empty; import prompts into it first.")
    for number, arm in enumerate(arms, start=1):
        _check_arm(number, arm)
    _check_difference([SamplingArm(**{**vars(arm), "stop": list(arm.stop)}) for arm in arms])


def _check_arm(number: int, arm: ArmSpec) -> None:
    if arm.model.kind != LanguageModel.Kind.POLICY:
        raise SamplingRefused(f"{arm.model} is a {arm.model.get_kind_display().lower()} and cannot write replies.")
    if arm.model.source == LanguageModel.Source.NAMED:
        raise SamplingRefused(f"Of {arm.model} only the name is known, from imported data; it cannot write here.")
    if arm.adapter and arm.model.source != LanguageModel.Source.SERVED and not arm.uses_managed_server:
        raise SamplingRefused(f"{arm.model} is not served: adapters are named where a server has them.")
    if arm.uses_managed_server:
        check_startable(arm.model, adapter=arm.adapter)
    if arm.num_completions < 1:
        raise SamplingRefused(f"num_completions must be 1 or more, got {arm.num_completions}.")
    try:
        SamplingParameters(
            temperature=arm.temperature, top_p=arm.top_p, max_new_tokens=arm.max_new_tokens, stop=tuple(arm.stop)
        )
    except EngineError as error:
        raise SamplingRefused(f"Arm {number}, {arm.model}: {error}.") from error


def _check_difference(arms: Sequence[SamplingArm]) -> None:
    """Nobody could tell two arms of one name apart: not on a page, not in a report."""
    labels = [arm.label for arm in arms]
    if repeated := sorted({label for label in labels if labels.count(label) > 1}):
        raise SamplingRefused(f"Two arms are called {repeated[0]!r}; give each arm of one model a name of its own.")


def _check_extent(split: str, max_prompts: int | None, seed: int, max_attempts: int) -> None:
    if split not in SamplingRun.Split.values:
        raise SamplingRefused(f"split must be one of {', '.join(SamplingRun.Split.values)}, got {split!r}.")
    if max_prompts is not None and max_prompts < 1:
        raise SamplingRefused(f"max_prompts must be 1 or more, or left out for all prompts, got {max_prompts}.")
    if not 1 <= max_attempts <= MAX_ATTEMPTS:
        raise SamplingRefused(f"max_attempts must lie in 1–{MAX_ATTEMPTS}, got {max_attempts}.")
    try:
        SamplingParameters(seed=seed)
    except EngineError as error:
        raise SamplingRefused(f"{error}.") from error


def retry_sampling(*, run: SamplingRun) -> None:
    """Sample what is missing of a run that has ended: failed prompts, and what an arm or a cancelled run left out.

    Raises `SamplingRefused` where nothing is missing, `IllegalTransition` while the run goes on.
    """
    with transaction.atomic():
        if run.status == SamplingRun.Status.FINISHED and not run.failures.exists():
            raise SamplingRefused(f"{run} is complete: there is nothing to try again.")
        jobs.reopen(run)
        run.failures.update(num_attempts=0)
