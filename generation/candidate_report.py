"""What a sampling run's page says about its candidates as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, Count, QuerySet

from generation.candidate_quality.lengths import Histogram, LengthStatistics, histogram_of, statistics_of
from generation.candidate_quality.words import words_of
from generation.models import Completion, CompletionFlag, PromptDiversity, SamplingRun

NUM_EXAMPLES = 3  # completions shown for each kind of flag


@dataclass(frozen=True, kw_only=True)
class ArmLengths:
    """How long the replies of one arm are."""

    arm: str
    statistics: LengthStatistics


@dataclass(frozen=True, kw_only=True)
class FlagCount:
    """How many completions have a flag, and some of them."""

    kind: str
    name: str
    num: int
    examples: Sequence[CompletionFlag]


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Of all completions of a run, by arm."""

    unit: str  # tokens if every completion knows its own number, words otherwise
    arms: Sequence[ArmLengths]
    histogram: Histogram


def flag_counts(run: SamplingRun) -> list[FlagCount]:
    """Kinds of flags that occur, the most frequent first."""
    flags = CompletionFlag.objects.filter(completion__sampling_run=run)
    counts = flags.values("kind").annotate(num=Count("pk")).order_by("-num", "kind").values_list("kind", "num")
    names = dict(CompletionFlag.Kind.choices)
    return [
        FlagCount(kind=kind, name=str(names[kind]), num=num, examples=_examples(flags.filter(kind=kind)))
        for kind, num in counts
    ]


def _examples(flags: QuerySet[CompletionFlag]) -> list[CompletionFlag]:
    return list(flags.select_related("completion__prompt", "completion__model").order_by("pk")[:NUM_EXAMPLES])


def mean_diversity(run: SamplingRun) -> dict[str, Any]:
    """Means over prompts with their number; every mean is None for a run of one completion a prompt."""
    measures = ("distinct_1", "distinct_2", "mean_distance", "self_bleu")
    return run.diversities.aggregate(num_prompts=Count("pk"), **{f"mean_{name}": Avg(name) for name in measures})


def least_diverse(run: SamplingRun) -> list[PromptDiversity]:
    """The prompts whose completions are most alike."""
    return list(run.diversities.select_related("prompt").order_by("mean_distance", "pk")[:NUM_EXAMPLES])


def lengths_of(run: SamplingRun) -> Lengths:
    """Reads the texts only where a completion does not know its number of tokens."""
    unit = "words" if run.completions.filter(num_tokens=None).exists() else "tokens"
    labels = {arm.pk: arm.label for arm in run.arms.select_related("model")}
    series: dict[str, list[int]] = {}
    rows: QuerySet[Completion] = run.completions.order_by("arm__position", "pk")
    for arm, value in rows.values_list("arm", "num_tokens" if unit == "tokens" else "text").iterator():
        series.setdefault(labels[arm], []).append(value if unit == "tokens" else len(words_of(value)))
    found = {name: statistics_of(lengths) for name, lengths in series.items()}
    return Lengths(
        unit=unit,
        arms=[ArmLengths(arm=name, statistics=one) for name, one in found.items() if one],
        histogram=histogram_of(series),
    )
