"""Which of a prompt's completions are compared with each other: at random, or by a reward model's scores.

The widest apart are those that people decide quickly and surely; the closest are those that a reward model learns most
from. Either way a comparison remembers which scores chose it.
"""

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from annotation.models import Comparison
from annotation.new_comparisons import NewComparison
from core.errors import ConcordError
from generation.candidate_quality.score_spread import closest_first, widest_first
from generation.models import Completion, Prompt, SamplingRun, ScoringRun
from generation.scoring_services import scores_of

Choice = Comparison.Choice


class ChoiceRefused(ConcordError):
    """Comparisons cannot be chosen like this."""

    status = 422
    title = "Comparisons cannot be chosen like this"


@dataclass(frozen=True, kw_only=True)
class CandidateChoice:
    """How to choose. Raises `ChoiceRefused` on construction."""

    choice: str = Choice.RANDOM
    scoring_run: ScoringRun | None = None

    def __post_init__(self) -> None:
        if self.choice not in Choice.values:
            raise ChoiceRefused(f"choice must be one of {', '.join(Choice.values)}, got {self.choice!r}.")
        if (self.scoring_run is None) != (self.choice == Choice.RANDOM):
            raise ChoiceRefused("Name a scoring run to choose the widest or the closest by, none to choose at random.")

    def check(self, sampling_run: SamplingRun) -> None:
        """Raises `ChoiceRefused` unless the scores are of these completions, and whole."""
        run = self.scoring_run
        if run is None:
            return
        if run.sampling_run_id != sampling_run.pk:
            raise ChoiceRefused(f"{run} scored completions of another sampling run than {sampling_run}.")
        if run.status != ScoringRun.Status.FINISHED:
            raise ChoiceRefused(f"{run} is {run.get_status_display().lower()}; its scores are not whole.")


def chosen_groups(
    completions: Iterable[Completion],
    *,
    size: int,
    how: CandidateChoice,
    max_per_prompt: int | None,
    rng: random.Random,
) -> list[NewComparison]:
    """Of each prompt's completions up to `max_per_prompt` groups of `size`, drawn, or the first by their scores."""
    scores = scores_of(how.scoring_run) if how.scoring_run else None
    groups = []
    for prompt, candidates in _by_prompt(completions):
        possible = list(itertools.combinations(candidates, size))
        rng.shuffle(possible)
        if scores is not None:
            possible = _ordered(possible, scores, how.choice)
        groups += [NewComparison(prompt=prompt, completions=group) for group in possible[:max_per_prompt]]
    return groups


def _ordered(
    possible: Sequence[tuple[Completion, ...]], scores: Mapping[int, float], choice: str
) -> list[tuple[Completion, ...]]:
    by_ids = {tuple(completion.pk for completion in group): group for group in possible}
    order = widest_first if choice == Choice.WIDEST else closest_first
    return [by_ids[tuple(ids)] for ids in order(by_ids, scores)]


def _by_prompt(completions: Iterable[Completion]) -> list[tuple[Prompt, list[Completion]]]:
    groups: dict[int, tuple[Prompt, list[Completion]]] = {}
    for completion in sorted(completions, key=lambda completion: (completion.prompt_id, completion.pk)):
        groups.setdefault(completion.prompt_id, (completion.prompt, []))[1].append(completion)
    return list(groups.values())
