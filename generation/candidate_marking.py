"""Marks the candidates of a sampling run: repeats, flags, diversity of each prompt.

Done while the run still samples, prompt by prompt; what an attempt that was killed or an arm that came late has left
is marked in the end. Marking a prompt again changes nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from django.db import transaction
from django.db.models import Count

from core import jobs
from generation.candidate_quality.diversity import diversity_of
from generation.candidate_quality.flags import flags_of
from generation.models import Completion, CompletionFlag, PromptDiversity, SamplingRun
from generation.near_duplicates import mark_near_duplicates

CHUNK = 250  # prompts that are marked together
BY_RULES = [kind for kind in CompletionFlag.Kind.values if kind != CompletionFlag.Kind.UNSAFE]


class Marking:
    """Remembers what this attempt has marked, and with how many completions."""

    def __init__(self, run: SamplingRun) -> None:
        self._run = run
        self._marked: dict[int, int] = {}  # prompt → its completions then

    def mark(self, prompts: Collection[int]) -> None:
        """Mark these prompts, provided that this attempt still owns the run."""
        with transaction.atomic():
            jobs.renew(self._run)
            self._marked |= mark_prompts(self._run, prompts)

    def finish(self) -> None:
        """Mark every prompt that was not marked with all the completions that it has now."""
        counted = self._run.completions.order_by().values_list("prompt_id").annotate(num=Count("pk"))
        stale = sorted(prompt for prompt, num in counted if self._marked.get(prompt) != num)
        for prompts in _in_chunks(stale):
            self.mark(prompts)
            jobs.beat(self._run)


def mark_candidates(run: SamplingRun) -> None:
    """Mark everything anew; what guards said stays."""
    for prompts in _in_chunks(sorted(set(run.completions.order_by().values_list("prompt_id", flat=True)))):
        mark_prompts(run, prompts)


def mark_prompts(run: SamplingRun, prompts: Collection[int]) -> dict[int, int]:
    """Mark all candidates of these prompts anew; how many each prompt has."""
    rows = run.completions.filter(prompt__in=prompts).select_related("prompt").order_by("prompt_id", "pk")
    groups = {pk: list(found) for pk, found in groupby(rows, key=lambda completion: completion.prompt_id)}
    flags = [flag for completions in groups.values() for one in completions for flag in _flags(one)]
    with transaction.atomic():
        _mark_duplicates(groups.values())
        CompletionFlag.objects.filter(
            completion__sampling_run=run, completion__prompt__in=prompts, kind__in=BY_RULES
        ).delete()
        CompletionFlag.objects.bulk_create(flags, batch_size=1000)
        run.diversities.filter(prompt__in=prompts).delete()
        PromptDiversity.objects.bulk_create(_diversities(run, groups))
    return {pk: len(completions) for pk, completions in groups.items()}


def _in_chunks(prompts: Sequence[int]) -> Iterator[Sequence[int]]:
    return (prompts[start : start + CHUNK] for start in range(0, len(prompts), CHUNK))


def _mark_duplicates(groups: Collection[Sequence[Completion]]) -> None:
    """Only rows whose mark changes are written."""
    changed = []
    for completions in groups:
        earlier = mark_near_duplicates([completion.text for completion in completions])
        for completion, place in zip(completions, earlier, strict=True):
            original = None if place is None else completions[place].pk
            if completion.duplicate_of_id != original:
                completion.duplicate_of_id = original
                changed.append(completion)
    Completion.objects.bulk_update(changed, ["duplicate_of"], batch_size=1000)


def _flags(completion: Completion) -> list[CompletionFlag]:
    found = flags_of(completion.prompt.messages, completion.text, completion.finish_reason)
    return [CompletionFlag(completion=completion, kind=flag.kind, detail=flag.detail) for flag in found]


def _diversities(run: SamplingRun, groups: dict[int, list[Completion]]) -> list[PromptDiversity]:
    found = {pk: diversity_of([one.text for one in completions]) for pk, completions in groups.items()}
    return [PromptDiversity(run=run, prompt_id=pk, **vars(values)) for pk, values in found.items() if values]
