"""What scores say about the candidates of a sampling run: how far apart they are, and who wrote the better ones."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from django.db.models import Avg, Count

from generation.candidate_quality.score_spread import Spread, disagreement, most_disputed_first, spread_of
from generation.models import CompletionScore, Prompt, SamplingArm, ScoringRun

NUM_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class ScoredPrompt:
    """The best and the worst reply to a prompt."""

    prompt: Prompt
    best: CompletionScore
    worst: CompletionScore
    gap: float


@dataclass(frozen=True, kw_only=True)
class DisputedPrompt:
    """The two replies to a prompt about which the members of an ensemble disagree most."""

    prompt: Prompt
    scores: tuple[CompletionScore, CompletionScore]  # the better one by their mean first
    disagreement: float  # variance of the probability that one beats the other


@dataclass(frozen=True, kw_only=True)
class ArmScore:
    """How an arm scored."""

    arm: SamplingArm
    num: int
    mean: float


@dataclass(frozen=True, kw_only=True)
class ScoreReport:
    """Of all scored prompts."""

    num_scores: int
    num_spread: int  # prompts with two candidates or more whose scores differ
    mean_gap: float | None  # from the worst to the best, over those prompts
    widest: list[ScoredPrompt]
    arms: list[ArmScore]
    num_members: int  # heads of the reward model that spoke
    mean_variance: float | None  # of the members around their mean; None: there is one
    most_disputed: list[DisputedPrompt]


def report_of(run: ScoringRun) -> ScoreReport:
    """Near-duplicates are left out of the gaps, as they are left out of comparisons."""
    scores = list(run.scores.filter(completion__duplicate_of=None).select_related("completion").order_by("pk"))
    spreads = _spreads(scores)
    widest = sorted(spreads.values(), key=lambda found: found[0].gap, reverse=True)[:NUM_SHOWN]
    variances = [score.variance for score in scores if score.variance is not None]
    prompts = Prompt.objects.in_bulk([best.completion.prompt_id for _, best, _ in widest])
    return ScoreReport(
        num_scores=run.scores.count(),
        num_spread=len(spreads),
        mean_gap=fmean(spread.gap for spread, _, _ in spreads.values()) if spreads else None,
        widest=[
            ScoredPrompt(prompt=prompts[best.completion.prompt_id], best=best, worst=worst, gap=spread.gap)
            for spread, best, worst in widest
        ],
        arms=_arms(run),
        num_members=max((len(score.members) for score in scores), default=0) or 1,
        mean_variance=fmean(variances) if variances else None,
        most_disputed=_most_disputed([score for score in scores if score.members]),
    )


def _spreads(scores: Iterable[CompletionScore]) -> dict[int, tuple[Spread, CompletionScore, CompletionScore]]:
    found = {}
    for prompt_id, group in _by_prompt(scores).items():
        if spread := spread_of([score.value for score in group]):
            found[prompt_id] = (spread, group[spread.best], group[spread.worst])
    return found


def _by_prompt(scores: Iterable[CompletionScore]) -> dict[int, list[CompletionScore]]:
    groups: dict[int, list[CompletionScore]] = defaultdict(list)
    for score in scores:
        groups[score.completion.prompt_id].append(score)
    return groups


def _most_disputed(scores: Iterable[CompletionScore]) -> list[DisputedPrompt]:
    pairs = [pair for group in _by_prompt(scores).values() for pair in _disputed_pair(group)]
    shown = sorted(pairs, key=lambda found: found[0], reverse=True)[:NUM_SHOWN]
    prompts = Prompt.objects.in_bulk([one.completion.prompt_id for _, one, _ in shown])
    return [
        DisputedPrompt(prompt=prompts[one.completion.prompt_id], scores=(one, other), disagreement=found)
        for found, one, other in shown
    ]


def _disputed_pair(group: Sequence[CompletionScore]) -> list[tuple[float, CompletionScore, CompletionScore]]:
    """The pair that its members disagree about most, the better one first; nothing where there is no pair."""
    by_id = {score.pk: score for score in group}
    members = {score.pk: score.members for score in group}
    ordered = most_disputed_first(combinations(by_id, 2), members)
    if not ordered:
        return []
    one, other = sorted((by_id[pk] for pk in ordered[0]), key=lambda score: score.value, reverse=True)
    return [(disagreement(ordered[0], members), one, other)]


def _arms(run: ScoringRun) -> list[ArmScore]:
    arms = {arm.pk: arm for arm in run.sampling_run.arms.select_related("model")}
    rows = run.scores.order_by().values_list("completion__arm").annotate(num=Count("pk"), mean=Avg("value"))
    found = [ArmScore(arm=arms[pk], num=num, mean=mean) for pk, num, mean in rows if pk in arms]
    return sorted(found, key=lambda one: one.mean, reverse=True)
