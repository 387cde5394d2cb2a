"""Writes to constitutions, and starting revision runs."""

from django.db import transaction
from django.db.models import Max

from accounts.models import User, Workspace
from core import jobs
from core.errors import ConcordError
from generation.constitutions.principles import ConstitutionInvalid, principles_from_json, principles_to_json
from generation.engines.base import SamplingParameters
from generation.engines.errors import EngineError
from generation.models import Constitution, ConstitutionVersion, LanguageModel, RevisionRun, SamplingRun
from generation.services import NameTaken


class ConstitutionRefused(ConcordError):
    """A constitution cannot be written like this."""

    status = 422
    title = "This constitution cannot be kept"


class RevisionRefused(ConcordError):
    """A revision run was asked for that cannot be carried out."""

    status = 422
    title = "This revision run cannot start"


def create_constitution(
    *, workspace: Workspace, name: str, principles: object, user: User | None = None
) -> ConstitutionVersion:
    """A new constitution with its first version. Raises `NameTaken` or `ConstitutionRefused`."""
    checked = _checked(principles)
    if Constitution.objects.filter(workspace=workspace, name=name).exists():
        raise NameTaken(f"{workspace} already has a constitution called {name!r}; choose another name.")
    with transaction.atomic():
        constitution = Constitution.objects.create(workspace=workspace, name=name)
        return constitution.versions.create(number=1, principles=checked, created_by=user)


def revise_constitution(
    *, constitution: Constitution, principles: object, user: User | None = None
) -> ConstitutionVersion:
    """The next version; the newest one itself if nothing is different. Raises `ConstitutionRefused`."""
    checked = _checked(principles)
    with transaction.atomic():
        Constitution.objects.select_for_update().get(pk=constitution.pk)
        newest = newest_version(constitution)
        if newest.principles == checked:
            return newest
        return constitution.versions.create(number=newest.number + 1, principles=checked, created_by=user)


def newest_version(constitution: Constitution) -> ConstitutionVersion:
    """The version that is in force."""
    number = constitution.versions.aggregate(newest=Max("number"))["newest"]
    return constitution.versions.get(number=number)


def start_revision_run(
    *,
    workspace: Workspace,
    name: str,
    sampling_run: SamplingRun,
    version: ConstitutionVersion,
    model: LanguageModel,
    num_per_prompt: int = 1,
    num_principles: int | None = None,
    temperature: float = 0.7,
    max_new_tokens: int = 512,
    seed: int = 0,
    user: User | None = None,
) -> RevisionRun:
    """Queue a revision run. Raises `RevisionRefused`."""
    owners = {sampling_run.workspace_id, version.constitution.workspace_id, model.workspace_id}
    if owners != {workspace.pk}:
        raise RevisionRefused("The sampling run, the constitution and the model must belong to the run's workspace.")
    if model.kind != LanguageModel.Kind.POLICY or model.source == LanguageModel.Source.NAMED:
        raise RevisionRefused(f"{model} cannot write replies; choose a policy that can be run.")
    if not sampling_run.has_ended or not sampling_run.completions.exists():
        raise RevisionRefused(f"{sampling_run} has not ended, or has no completions to revise.")
    if num_per_prompt < 1 or (num_principles is not None and num_principles < 1):
        raise RevisionRefused("num_per_prompt and num_principles must be 1 or more.")
    try:
        SamplingParameters(temperature=temperature, max_new_tokens=max_new_tokens, seed=seed)
    except EngineError as error:
        raise RevisionRefused(f"{error}.") from error
    with transaction.atomic():
        run = RevisionRun.objects.create(
            workspace=workspace,
            name=name,
            sampling_run=sampling_run,
            version=version,
            model=model,
            num_per_prompt=num_per_prompt,
            num_principles=num_principles,
            temperature=temperature,
            max_new_tokens=max_new_tokens,
            seed=seed,
            created_by=user,
        )
        jobs.enqueue(run)
    return run


def _checked(principles: object) -> list[dict[str, str]]:
    try:
        return principles_to_json(principles_from_json(principles))
    except ConstitutionInvalid as error:
        raise ConstitutionRefused(f"The principles cannot be kept: {error}.") from None
