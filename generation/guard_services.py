"""Starting guard runs, and what their verdicts do: warnings, never deletion."""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from django.db import transaction
from django.db.models import Q, QuerySet

from accounts.models import User, Workspace
from core import jobs
from core.errors import ConcordError
from generation.guards.rules import DEFAULT_RULES, RulesInvalid, rules_from_json, rules_to_json
from generation.models import (
    Completion,
    CompletionFlag,
    GuardRun,
    GuardVerdict,
    LanguageModel,
    Prompt,
    PromptSet,
    SamplingRun,
)

DETAIL_CHARACTERS = 300


class FlagListener(Protocol):
    """Somebody in an app above this one who must know what guards flag."""

    def __call__(self, *, prompts: Collection[int], completions: Collection[int]) -> None:
        """These were flagged just now. Called again after an interruption."""


_listeners: list[FlagListener] = []


def listen(listener: FlagListener) -> None:
    """Tell `listener` of everything that is flagged from now on."""
    if listener not in _listeners:
        _listeners.append(listener)


class GuardRefused(ConcordError):
    """A guard run was asked for that cannot be carried out."""

    status = 422
    title = "This guard run cannot start"


def start_guard_run(
    *,
    workspace: Workspace,
    name: str,
    prompt_set: PromptSet | None = None,
    sampling_run: SamplingRun | None = None,
    guard: LanguageModel | None = None,
    style: str = GuardRun.Style.RULES,
    rules: object = None,
    user: User | None = None,
) -> GuardRun:
    """Queue a check of a prompt set or of a sampling run's completions. Raises `GuardRefused`."""
    _check_target(workspace, prompt_set, sampling_run)
    _check_guard(workspace, guard, style)
    with transaction.atomic():
        run = GuardRun.objects.create(
            workspace=workspace,
            name=name,
            prompt_set=prompt_set,
            sampling_run=sampling_run,
            guard=guard,
            style=GuardRun.Style(style),
            rules=_checked_rules(rules) if style == GuardRun.Style.RULES else [],
            created_by=user,
        )
        jobs.enqueue(run)
    return run


def record_verdicts(*, run: GuardRun, verdicts: Sequence[GuardVerdict]) -> None:
    """Store what the guard said, and warn of what it flagged. The attempt must still own the run."""
    with transaction.atomic():
        jobs.renew(run, num_done=run.num_done + len(verdicts))
        GuardVerdict.objects.bulk_create(verdicts)
        flagged = [verdict for verdict in verdicts if verdict.is_flagged]
        prompts = {verdict.prompt_id: verdict.labels for verdict in flagged if verdict.prompt_id}
        completions = {verdict.completion_id: verdict.labels for verdict in flagged if verdict.completion_id}
        _warn_of_prompts(prompts)
        _flag_completions(completions)
    _tell(prompts, completions)  # when others can read the flags: who makes a comparison meanwhile looks for them later


def tell_of_flagged(*, run: GuardRun) -> None:
    """Tell all listeners of what the run has flagged, whichever attempt did."""
    flagged = run.verdicts.filter(is_flagged=True)
    prompts = list(flagged.exclude(prompt=None).values_list("prompt_id", flat=True))
    completions = list(flagged.exclude(completion=None).values_list("completion_id", flat=True))
    _tell(prompts, completions)


def unchecked_prompts(run: GuardRun) -> QuerySet[Prompt]:
    """Those of the run's set that it has no verdict about yet."""
    return Prompt.objects.filter(prompt_set=run.prompt_set).exclude(verdicts__run=run).order_by("pk")


def unchecked_completions(run: GuardRun) -> QuerySet[Completion]:
    """Those of the run's sampling run that it has no verdict about yet."""
    rows = Completion.objects.filter(sampling_run=run.sampling_run).exclude(verdicts__run=run)
    return rows.select_related("prompt").order_by("pk")


def _check_target(workspace: Workspace, prompt_set: PromptSet | None, sampling_run: SamplingRun | None) -> None:
    target = prompt_set or sampling_run
    if target is None or (prompt_set and sampling_run):
        raise GuardRefused("Name either a prompt set or a sampling run to check.")
    if target.workspace_id != workspace.pk:
        raise GuardRefused("What is checked must belong to the run's workspace.")


def _check_guard(workspace: Workspace, guard: LanguageModel | None, style: str) -> None:
    if style not in GuardRun.Style.values:
        raise GuardRefused(f"style must be one of {', '.join(GuardRun.Style.values)}, got {style!r}.")
    if (guard is None) != (style == GuardRun.Style.RULES):
        raise GuardRefused("Rules need no guard; the other styles need one.")
    if guard is None:
        return
    if guard.workspace_id != workspace.pk:
        raise GuardRefused("The guard must belong to the run's workspace.")
    wanted = {GuardRun.Style.NATIVE: LanguageModel.Kind.GUARD}.get(GuardRun.Style(style))
    if guard.kind == LanguageModel.Kind.REWARD or (wanted and guard.kind != wanted):
        raise GuardRefused(f"{guard} is a {guard.get_kind_display().lower()}; register it as a guard.")
    if guard.source == LanguageModel.Source.NAMED:
        raise GuardRefused(f"Of {guard} only the name is known; it cannot be asked.")


def _checked_rules(rules: object) -> list[dict[str, object]]:
    try:
        return rules_to_json(DEFAULT_RULES if rules is None else rules_from_json(rules))
    except RulesInvalid as error:
        raise GuardRefused(f"The rules cannot be used: {error}.") from None


def _tell(prompts: Collection[int], completions: Collection[int]) -> None:
    if not prompts and not completions:
        return
    for listener in _listeners:
        listener(prompts=prompts, completions=completions)


def _warn_of_prompts(labels: dict[int, Iterable[str]]) -> None:
    """Flagged prompts are sensitive and carry the labels as tags: both are what labelers can opt out of."""
    prompts = list(Prompt.objects.filter(pk__in=labels).select_for_update())
    for prompt in prompts:
        prompt.is_sensitive = True
        prompt.tags = list(dict.fromkeys([*prompt.tags, *labels[prompt.pk]]))
    Prompt.objects.bulk_update(prompts, ["is_sensitive", "tags"])


def _flag_completions(labels: dict[int, Iterable[str]]) -> None:
    """One flag a completion; labels of an earlier guard stay in it."""
    unsafe = Q(kind=CompletionFlag.Kind.UNSAFE, completion__in=labels)
    known = dict(CompletionFlag.objects.filter(unsafe).values_list("completion_id", "detail"))
    flags = [
        CompletionFlag(
            completion_id=pk,
            kind=CompletionFlag.Kind.UNSAFE,
            detail=", ".join(dict.fromkeys([*filter(None, known.get(pk, "").split(", ")), *found]))[:DETAIL_CHARACTERS],
        )
        for pk, found in labels.items()
    ]
    CompletionFlag.objects.bulk_create(
        flags, update_conflicts=True, unique_fields=["completion", "kind"], update_fields=["detail"]
    )
