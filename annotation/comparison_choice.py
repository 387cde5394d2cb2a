"""Which of a prompt's completions are compared with each other: at random, or by a reward model's scores.

The widest apart are those that people decide quickly and surely; the closest are those that a reward model learns most
from; the most disputed are those about which the members of a reward ensemble disagree most. Either way a comparison
remembers which scores chose it.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from annotation.models import Comparison
from annotation.new_comparisons import NewComparison
from core.errors import ConcordError
from generation.candidate_quality.score_spread import closest_first, most_disputed_first, widest_first
from generation.models import Completion, Prompt, SamplingRun, ScoringRun
from generation.scoring_services import member_scores_of, scores_of

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
            raise ChoiceRefused("Name a scoring run to choose by, none to choose at random.")

    def check(self, sampling_run: SamplingRun) -> None:
        """Raises `ChoiceRefused` unless the scores are of these completions, and whole."""
        run = self.scoring_run
        if run is None:
            return
        if run.sampling_run_id != sampling_run.pk:
            raise ChoiceRefused(f"{run} scored completions of another sampling run than {sampling_run}.")
        if run.status != ScoringRun.Status.FINISHED:
            raise ChoiceRefused(f"{run} is {run.get_status_display().lower()}; its scores are not whole.")
        if self.choice == Choice.DISPUTED and not run.is_by_ensemble:
            advice = "Train a reward model with ensemble_size above 1 and score by it."
            raise ChoiceRefused(f"{run.reward_model} has a single head, and nobody to disagree with. {advice}")


def chosen_groups(
    completions: Iterable[Completion],
    *,
    size: int,
    how: CandidateChoice,
    max_per_prompt: int | None,
    rng: random.Random,
) -> list[NewComparison]:
    """Of each prompt's completions up to `max_per_prompt` groups of `size`, drawn, or the first by their scores."""
    order = _order_of(how)
    groups = []
    for prompt, candidates in _by_prompt(completions):
        possible = list(itertools.combinations(candidates, size))
        rng.shuffle(possible)
        by_ids = {tuple(completion.pk for completion in group): group for group in possible}
        ordered = [by_ids[tuple(ids)] for ids in order(by_ids)]
        groups += [NewComparison(prompt=prompt, completions=group) for group in ordered[:max_per_prompt]]
    return groups


def _order_of(how: CandidateChoice) -> Callable[[Iterable[Sequence[int]]], list[Sequence[int]]]:
    """Groups of completions, by their ids, in the order in which they are taken."""
    run = how.scoring_run
    if run is None:
        return list
    if how.choice == Choice.DISPUTED:
        return partial(most_disputed_first, members=member_scores_of(run))
    return partial(widest_first if how.choice == Choice.WIDEST else closest_first, scores=scores_of(run))


def _by_prompt(completions: Iterable[Completion]) -> list[tuple[Prompt, list[Completion]]]:
    groups: dict[int, tuple[Prompt, list[Completion]]] = {}
    for completion in sorted(completions, key=lambda completion: (completion.prompt_id, completion.pk)):
        groups.setdefault(completion.prompt_id, (completion.prompt, []))[1].append(completion)
    return list(groups.values())
