"""Best of N: of N replies of a reference the one that a reward model scores highest, the baseline of every policy."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean

from core.jobs import JobFailed
from evaluation import metrics
from evaluation.judged_pairs import Completions
from evaluation.measured import Measured
from evaluation.metrics import Score
from evaluation.models import EvaluationRun
from generation.models import Completion, CompletionScore, LanguageModel, SamplingArm
from training.algorithms.failures import TrainingFailure

BOUND = "log N - (N - 1) / N, an upper bound of the true divergence"


def kl_bound(num_replies: int) -> float:
    """KL(best of N || reference) in nats, at most: log N - (N - 1) / N.

    Stiennon et al. 2020, section 3.5 give it as an equality; Beirami et al. 2024, theorem 1 prove that it bounds the
    divergence from above and is close where no reply is likely.
    """
    if num_replies < 1:
        raise ValueError(f"best of N needs a reply or more, got {num_replies}")
    return math.log(num_replies) - (num_replies - 1) / num_replies


def best_replies(run: EvaluationRun, theirs: Completions) -> Completions:
    """(prompt, 0) → the baseline's reply with the highest score; of level ones the first. Raises `JobFailed`."""
    scores = _scores(run, theirs.values())
    by_prompt: dict[int, list[Completion]] = defaultdict(list)
    for (prompt, _), completion in sorted(theirs.items()):
        if completion.pk in scores:
            by_prompt[prompt].append(completion)
    if not by_prompt:
        raise JobFailed(f"{run.scoring_run} has no score of a reply of {run.baseline}.", failure_kind="data_error")
    return {
        (prompt, 0): max(replies, key=lambda one: (scores[one.pk], -one.index)) for prompt, replies in by_prompt.items()
    }


def against(ours: Completions, best: Completions) -> Completions:
    """The best reply of each prompt under every index of the subject there: each of its replies meets it."""
    return {key: best[key[0], 0] for key in ours if (key[0], 0) in best}


def measured(run: EvaluationRun, texts: dict[int, Completions], best: Completions) -> list[Measured]:
    """Rewards and divergences of the baseline's best replies and of every subject, where they can be told."""
    assert run.baseline is not None  # noqa: S101 -- a check constraint
    subjects = list(run.subjects.order_by("pk"))
    rewards = [_reward(run, run.baseline, best, {"best_of": _num_replies(run)})]
    rewards += [_reward(run, subject, texts[subject.pk], {}) for subject in subjects]
    divergences = [_bound(run, run.baseline, texts[run.baseline.pk])]
    divergences += [_divergence(run, subject, texts[subject.pk]) for subject in subjects if _can_measure(run, subject)]
    return [one for one in (*rewards, *divergences) if one.score.interval is not None]


def _reward(run: EvaluationRun, model: LanguageModel, shown: Completions, details: dict[str, int]) -> Measured:
    """The mean score of a model's replies, by the reward model that chose the best ones."""
    assert run.scoring_run is not None  # noqa: S101 -- the caller looked
    scores = _scores(run, shown.values())
    scored = [completion for completion in shown.values() if completion.pk in scores]
    values = [scores[completion.pk] for completion in scored]
    score = metrics.mean_margin(values, [completion.prompt_id for completion in scored], seed=run.seed)
    said = {"reward_model": run.scoring_run.reward_model.name, **details}
    return Measured(model=model, metric="reward", score=score, details=said)


def _bound(run: EvaluationRun, baseline: LanguageModel, theirs: Completions) -> Measured:
    """The bound for as many replies as each prompt has, averaged over prompts; it has no chance in it."""
    counts: dict[int, int] = defaultdict(int)
    for prompt, _ in theirs:
        counts[prompt] += 1
    value = fmean(kl_bound(count) for count in counts.values())
    score = Score(value=value, interval=(value, value), n=len(theirs), num_prompts=len(counts), ties=0)
    details = {"best_of": _num_replies(run), "is": BOUND, "unit": "nats a reply"}
    return Measured(model=baseline, metric="kl", score=score, details=details)


def _divergence(run: EvaluationRun, subject: LanguageModel, ours: Completions) -> Measured:
    """KL(subject || reference) as the mean log ratio of the subject's own replies: unbiased, and rarely below 0."""
    assert run.baseline is not None  # noqa: S101 -- a check constraint
    from training.algorithms import scoring  # torch: in workers only

    shown = [ours[key] for key in sorted(ours)]
    conversations, texts = [one.prompt.messages for one in shown], [one.text for one in shown]
    try:
        own = scoring.completion_logps(subject.location, conversations, texts)
        reference = scoring.completion_logps(run.baseline.location, conversations, texts)
    except TrainingFailure as error:
        raise JobFailed(str(error), failure_kind=error.kind) from error
    ratios = [one - other for one, other in zip(own, reference, strict=True)]
    score = metrics.mean_margin(ratios, [one.prompt_id for one in shown], seed=run.seed)
    details = {"is": "mean of log policy - log reference over its own replies", "unit": "nats a reply"}
    return Measured(model=subject, metric="kl", score=score, details=details)


def _can_measure(run: EvaluationRun, subject: LanguageModel) -> bool:
    """Whether the replies are draws from the subject's own distribution, and both models can be asked about them."""
    assert run.baseline is not None and run.sampling_run is not None  # noqa: S101, PT018 -- check constraints
    arm = run.sampling_run.arms.get(model=subject)
    is_plain = arm.temperature == 1.0 and arm.top_p == 1.0 and not arm.system_prompt and not arm.adapter
    return is_plain and subject.has_weights and run.baseline.has_weights


def _num_replies(run: EvaluationRun) -> int:
    return baseline_arm(run).num_completions


def baseline_arm(run: EvaluationRun) -> SamplingArm:
    """The arm whose replies are chosen from."""
    assert run.sampling_run is not None  # noqa: S101 -- a check constraint
    found: SamplingArm = run.sampling_run.arms.get(model=run.baseline)
    return found


def _scores(run: EvaluationRun, completions: Iterable[Completion]) -> dict[int, float]:
    wanted: Sequence[int] = [completion.pk for completion in completions]
    rows = CompletionScore.objects.filter(run=run.scoring_run, completion__in=wanted)
    return dict(rows.values_list("completion_id", "value"))
