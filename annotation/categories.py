"""What annotators may opt out of in a comparison: the tags of its prompt, and what guards said of it and its replies.

A comparison keeps its categories as a column, for the queue to filter by. What a guard flags later is added to it;
nothing is ever taken away.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from django.db.models import Q

from annotation.models import Candidate, Comparison
from annotation.opt_outs import SENSITIVE
from generation.models import CompletionFlag, Prompt

_CHARACTERS = 100  # of a category
BATCH = 1000


def categories_of(prompt: Prompt, labels: Iterable[Sequence[str]] = ()) -> list[str]:
    """Of a prompt with replies; `labels` has those of each reply that a guard flagged, maybe none."""
    flagged = list(labels)
    found = {str(tag)[:_CHARACTERS] for tag in prompt.tags} | {label for some in flagged for label in some}
    return sorted(found | {SENSITIVE} if flagged or prompt.is_sensitive else found)


def labels_of(completions: Collection[int]) -> dict[int, list[str]]:
    """Flagged completion → the labels that guards gave it."""
    flags = CompletionFlag.objects.filter(kind=CompletionFlag.Kind.UNSAFE, completion__in=completions)
    return {
        pk: [label[:_CHARACTERS] for label in detail.split(", ") if label]
        for pk, detail in flags.values_list("completion_id", "detail")
    }


def add_flagged(*, prompts: Collection[int] = (), completions: Collection[int] = ()) -> None:
    """Give the comparisons of these prompts and completions the categories that they have by now."""
    about = Q(prompt__in=prompts) | Q(pk__in=Candidate.objects.filter(completion__in=completions).values("comparison"))
    found = list(Comparison.objects.filter(about).select_related("prompt").order_by("pk"))
    for start in range(0, len(found), BATCH):
        _add(found[start : start + BATCH])


def _add(comparisons: Sequence[Comparison]) -> None:
    completions: dict[int, list[int]] = defaultdict(list)
    rows = Candidate.objects.filter(comparison__in=comparisons).order_by("pk")
    for comparison_id, completion_id in rows.values_list("comparison_id", "completion_id"):
        completions[comparison_id].append(completion_id)
    labels = labels_of([pk for group in completions.values() for pk in group])
    changed = []
    for comparison in comparisons:
        flagged = [labels[pk] for pk in completions[comparison.pk] if pk in labels]
        wanted = sorted({*comparison.categories, *categories_of(comparison.prompt, flagged)})
        if wanted != comparison.categories:
            comparison.categories = wanted
            changed.append(comparison)
    Comparison.objects.bulk_update(changed, ["categories"])
