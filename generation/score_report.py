"""What scores say about the candidates of a sampling run: how far apart they are, and who wrote the better ones."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean

from django.db.models import Avg, Count

from generation.candidate_quality.score_spread import Spread, spread_of
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


def report_of(run: ScoringRun) -> ScoreReport:
    """Near-duplicates are left out of the gaps, as they are left out of comparisons."""
    scores = list(run.scores.filter(completion__duplicate_of=None).select_related("completion").order_by("pk"))
    spreads = _spreads(scores)
    widest = sorted(spreads.values(), key=lambda found: found[0].gap, reverse=True)[:NUM_SHOWN]
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
    )


def _spreads(scores: Iterable[CompletionScore]) -> dict[int, tuple[Spread, CompletionScore, CompletionScore]]:
    groups: dict[int, list[CompletionScore]] = defaultdict(list)
    for score in scores:
        groups[score.completion.prompt_id].append(score)
    found = {}
    for prompt_id, group in groups.items():
        if spread := spread_of([score.value for score in group]):
            found[prompt_id] = (spread, group[spread.best], group[spread.worst])
    return found


def _arms(run: ScoringRun) -> list[ArmScore]:
    arms = {arm.pk: arm for arm in run.sampling_run.arms.select_related("model")}
    rows = run.scores.order_by().values_list("completion__arm").annotate(num=Count("pk"), mean=Avg("value"))
    found = [ArmScore(arm=arms[pk], num=num, mean=mean) for pk, num, mean in rows if pk in arms]
    return sorted(found, key=lambda one: one.mean, reverse=True)
