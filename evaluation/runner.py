"""Carries out evaluation runs. Intervals resample prompts, because verdicts on one prompt are not independent."""

import json
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq
from django.db import transaction

from annotation.export import file_sha256
from annotation.judges import rubric_judge
from annotation.models import Dataset
from core import jobs
from core.jobs import JobFailed
from evaluation import best_of_n, judged_pairs, llm_win_rates, metrics
from evaluation.judged_pairs import Completions
from evaluation.measured import Measured
from evaluation.models import EvaluationResult, EvaluationRun, JudgedPair
from evaluation.pair_verdicts import PAIRWISE
from generation.models import Completion, LanguageModel
from training.algorithms.failures import TrainingFailure
from training.models import Checkpoint

BEAT_EVERY = 500  # comparisons


def evaluate(run: EvaluationRun) -> None:
    """Measure every subject and store the results. Raises `JobFailed` if nothing can be measured."""
    measure = {
        EvaluationRun.Kind.WIN_RATE: _win_rates,
        EvaluationRun.Kind.PREFERENCE_ACCURACY: _preference_accuracies,
    }[EvaluationRun.Kind(run.kind)]
    _store(run, measure(run))


def _store(run: EvaluationRun, measured: Sequence[Measured]) -> None:
    """All results at once, replacing those of an attempt that died."""
    with transaction.atomic():
        jobs.renew(run)
        run.results.all().delete()
        EvaluationResult.objects.bulk_create(_result(run, one) for one in measured)
    jobs.beat(run)


def _result(run: EvaluationRun, one: Measured) -> EvaluationResult:
    score = one.score
    if score.value is None or score.interval is None:
        raise JobFailed(
            f"{one.metric} of {one.model} has no interval: {score.reason}{_without_outcome(one.details)}.",
            failure_kind="too-few-prompts",
        )
    return EvaluationResult(
        run=run,
        model=one.model,
        metric=one.metric,
        value=score.value,
        low=min(score.interval[0], score.value),  # rounding may put the bound past the value
        high=max(score.interval[1], score.value),
        num_prompts=score.num_prompts,
        num_items=score.n,
        details={"ties": score.ties, "resamples": metrics.NUM_RESAMPLES, "seed": run.seed, **one.details},
    )


def _without_outcome(details: dict[str, Any]) -> str:
    """Why pairs are missing, in brackets; empty if none are."""
    states = {state.value: state.label.lower() for state in JudgedPair.State}
    counts = [f"{count} {states[name]}" for name, count in details.items() if name in states and count]
    return f" ({', '.join(counts)})" if counts else ""


def _win_rates(run: EvaluationRun) -> list[Measured]:
    """Each subject's completions against the baseline's of the same prompt and index, judged in both orders.

    With scores the baseline shows its best reply to each prompt, and rewards and divergences are told as well.
    """
    assert run.sampling_run is not None and run.baseline is not None  # noqa: S101, PT018 -- a check constraint
    subjects, texts = list(run.subjects.order_by("pk")), _completions_by_model(run)
    best = best_of_n.best_replies(run, texts[run.baseline.pk]) if run.scoring_run is not None else None
    pairs = {
        subject.pk: texts[run.baseline.pk] if best is None else best_of_n.against(texts[subject.pk], best)
        for subject in subjects
    }
    further = [] if best is None else best_of_n.measured(run, texts, best)
    if run.judge_version is not None:
        for subject in subjects:
            judged_pairs.add_pairs(run, subject, texts[subject.pk], pairs[subject.pk])
        judged_pairs.judge_pairs(run)
        return [*(one for subject in subjects for one in llm_win_rates.measured(run, subject)), *further]
    jobs.beat(run, num_done=0, num_total=sum(map(len, pairs.values())))
    return [*(_win_rate(run, subject, texts[subject.pk], pairs[subject.pk]) for subject in subjects), *further]


def _completions_by_model(run: EvaluationRun) -> dict[int, Completions]:
    """model → (prompt, index) → completion."""
    texts: dict[int, Completions] = defaultdict(dict)
    for completion in Completion.objects.filter(sampling_run=run.sampling_run).select_related("prompt"):
        if completion.model_id is not None:
            texts[completion.model_id][completion.prompt_id, completion.index] = completion
    return texts


def _win_rate(
    run: EvaluationRun,
    subject: LanguageModel,
    ours: Completions,
    theirs: Completions,
) -> Measured:
    """Both orders of every pair; verdicts that follow the side cancel to a tie."""
    shared = sorted(ours.keys() & theirs.keys())
    first, second = [], []
    for number, key in enumerate(shared, start=1):
        first.append(_outcome(run, ours[key], theirs[key]))
        second.append(1.0 - _outcome(run, theirs[key], ours[key]))
        if number % BEAT_EVERY == 0:
            jobs.beat(run, num_done=run.num_done + BEAT_EVERY)
    outcomes = metrics.fold_orders(first, second)
    score = metrics.win_rate(outcomes, [prompt for prompt, _ in shared], seed=run.seed)
    details = {
        "wins": int((outcomes > metrics.TIE).sum()),
        "losses": int((outcomes < metrics.TIE).sum()),
        "flips": metrics.num_flips(first, second),
        "tie_policy": "a tie counts half; both orders are judged and averaged",
    }
    return Measured(model=subject, metric="win_rate", score=score, details=details)


def _outcome(run: EvaluationRun, left: Completion, right: Completion) -> float:
    """The judge's verdict for the left text: 1 win, 0.5 tie, 0 loss."""
    assert run.judge is not None  # noqa: S101 -- a check constraint
    tiers = rubric_judge(run.judge).judge(left.prompt.reference, [left.text, right.text], PAIRWISE)
    if len(tiers) == 1:
        return metrics.TIE
    return metrics.WIN if tiers[0] == [0] else metrics.LOSS


def _preference_accuracies(run: EvaluationRun) -> list[Measured]:
    """How often each subject scores the chosen above the rejected completion of held-out pairs, and by how much."""
    assert run.dataset is not None  # noqa: S101 -- a check constraint
    rows = _held_out_rows(run.dataset)
    subjects = list(run.subjects.order_by("pk"))
    jobs.beat(run, num_done=0, num_total=len(rows) * len(subjects))
    measured = []
    for subject in subjects:
        margins, details = _margins(run, subject, rows)
        jobs.beat(run, num_done=run.num_done + len(rows))
        groups = [row["group_id"] for row in rows]
        accuracy = metrics.accuracy(margins, groups, seed=run.seed)
        margin = metrics.mean_margin(margins, groups, seed=run.seed)
        measured.append(Measured(model=subject, metric="accuracy", score=accuracy, details=details))
        measured.append(Measured(model=subject, metric="margin", score=margin, details=details))
    return measured


def _held_out_rows(dataset: Dataset) -> list[dict[str, Any]]:
    if not dataset.parquet_path.exists():
        raise JobFailed(f"The file of {dataset} is missing: {dataset.parquet_path}.", failure_kind="data_error")
    if file_sha256(dataset.parquet_path) != dataset.sha256:
        raise JobFailed(f"The file of {dataset} is not the one that was frozen.", failure_kind="data_error")
    columns = ["group_id", "split", "prompt", "chosen", "rejected"]
    rows: list[dict[str, Any]] = pq.read_table(dataset.parquet_path, columns=columns).to_pylist()
    held_out = [row for row in rows if row["split"] == "held_out"]
    if not held_out:
        raise JobFailed(f"{dataset} holds no held-out pair to measure on.", failure_kind="data_error")
    return held_out


def _margins(
    run: EvaluationRun, subject: LanguageModel, rows: Sequence[dict[str, Any]]
) -> tuple[list[float], dict[str, Any]]:
    """Score of the chosen minus score of the rejected, by the reward model or by the policy's implicit reward."""
    from training.algorithms import scoring  # torch: in workers only

    if subject.kind == LanguageModel.Kind.REWARD:
        return _reward_margins(*_both(scoring.score_by_members, subject.location, rows))
    assert run.baseline is not None  # noqa: S101 -- the service refuses policies without a reference
    beta = _beta(subject)
    ours = _differences(*_both(scoring.completion_logps, subject.location, rows))
    reference = _differences(*_both(scoring.completion_logps, run.baseline.location, rows))
    details = {"score": "implicit reward beta·log(pi/pi_ref)", "beta": beta, "reference": run.baseline.name}
    return [beta * (own - base) for own, base in zip(ours, reference, strict=True)], details


def _reward_margins(
    chosen: Sequence[Sequence[float]], rejected: Sequence[Sequence[float]]
) -> tuple[list[float], dict[str, Any]]:
    """Differences of mean scores; of an ensemble's members also whether they disagree where it errs."""
    margins = [_differences(*both) for both in zip(chosen, rejected, strict=True)]
    means, num_members = [fmean(members) for members in margins], len(margins[0])
    if num_members == 1:
        return means, {"score": "reward model"}
    import torch  # in workers only

    from training.algorithms.ensembles import reliability

    found = reliability(torch.tensor(margins), torch.ones(len(margins)))
    return means, {
        "score": f"mean of {num_members} members",
        **{name: round(value, 4) for name, value in found.items()},
    }


def _both(score: Any, location: str, rows: Sequence[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Scores of the chosen and of the rejected completions, in one call."""
    conversations = [json.loads(row["prompt"]) for row in rows]
    completions = [row["chosen"] for row in rows] + [row["rejected"] for row in rows]
    try:
        scores: list[Any] = score(location, conversations * 2, completions)
    except TrainingFailure as error:
        raise JobFailed(str(error), failure_kind=error.kind) from error
    return scores[: len(rows)], scores[len(rows) :]


def _differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    return [one - other for one, other in zip(first, second, strict=True)]


def _beta(policy: LanguageModel) -> float:
    """The beta that the policy was trained with; 1 where it is unknown."""
    checkpoint: Checkpoint | None = Checkpoint.objects.filter(language_model=policy).select_related("run").first()
    return float(checkpoint.run.config.get("beta", 1.0)) if checkpoint else 1.0
