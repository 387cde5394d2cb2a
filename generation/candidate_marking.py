"""Marks the candidates of a sampling run that has sampled what it should: repeats, flags, diversity of each prompt."""

from collections.abc import Iterator
from itertools import groupby

from django.db import transaction

from generation import services
from generation.candidate_quality.diversity import diversity_of
from generation.candidate_quality.flags import flags_of
from generation.models import Completion, CompletionFlag, PromptDiversity, SamplingRun

CHUNK = 1000  # marks that are stored together
BY_RULES = [kind for kind in CompletionFlag.Kind.values if kind != CompletionFlag.Kind.UNSAFE]


def mark_candidates(run: SamplingRun) -> None:
    """Mark everything anew; what guards said stays. Doing it twice changes nothing."""
    services.mark_duplicates(run=run)
    with transaction.atomic():
        CompletionFlag.objects.filter(completion__sampling_run=run, kind__in=BY_RULES).delete()
        run.diversities.all().delete()
        flags: list[CompletionFlag] = []
        diversities: list[PromptDiversity] = []
        for prompt_id, completions in _by_prompt(run):
            flags += [flag for completion in completions for flag in _flags(completion)]
            if found := diversity_of([completion.text for completion in completions]):
                diversities.append(PromptDiversity(run=run, prompt_id=prompt_id, **vars(found)))
            if len(flags) + len(diversities) >= CHUNK:
                _store(flags, diversities)
        _store(flags, diversities)


def _by_prompt(run: SamplingRun) -> Iterator[tuple[int, list[Completion]]]:
    rows = run.completions.select_related("prompt").order_by("prompt_id", "pk").iterator(2000)
    for prompt_id, completions in groupby(rows, key=lambda completion: completion.prompt_id):
        yield prompt_id, list(completions)


def _flags(completion: Completion) -> list[CompletionFlag]:
    found = flags_of(completion.prompt.messages, completion.text, completion.finish_reason)
    return [CompletionFlag(completion=completion, kind=flag.kind, detail=flag.detail) for flag in found]


def _store(flags: list[CompletionFlag], diversities: list[PromptDiversity]) -> None:
    CompletionFlag.objects.bulk_create(flags, batch_size=1000)
    PromptDiversity.objects.bulk_create(diversities, batch_size=1000)
    flags.clear()
    diversities.clear()
