"""Carries out a scoring run: scores are committed in chunks, and a resumed run scores nothing twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from core import jobs
from core.jobs import JobFailed
from generation import scoring_services as services
from generation.models import ScoringRun
from training.algorithms.failures import TrainingFailure

CHUNK = 256  # completions whose scores are committed together


def score(run: ScoringRun) -> None:
    """Score what has no score yet. Raises `JobFailed` with what is wrong with the model."""
    missing = list(services.unscored(run))
    num_done = run.scores.count()
    jobs.beat(run, num_done=num_done, num_total=num_done + len(missing))
    if not missing:
        return
    from training.algorithms import scoring  # torch: in workers only

    try:
        scorer = scoring.reward_scorer(run.reward_model.location)
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            members = scorer([one.prompt.messages for one in chunk], [one.text for one in chunk])
            scores = dict(zip([one.pk for one in chunk], members, strict=True))
            services.store_scores(run=run, scores=_checked(run, scores))
            jobs.beat(run)
    except TrainingFailure as error:
        raise JobFailed(f"{run.reward_model}: {error}", failure_kind=error.kind) from error


def _checked(run: ScoringRun, scores: Mapping[int, Sequence[float]]) -> Mapping[int, Sequence[float]]:
    """Nobody can be ranked by what is not a number."""
    for pk, members in scores.items():
        for value in members:
            if not isfinite(value):
                raise JobFailed(f"{run.reward_model} scores completion {pk} with {value}.", failure_kind="not_a_number")
    return scores
