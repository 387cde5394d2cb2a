"""A reward model scores the completions of a sampling run, in a worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import jobs
from core.jobs import JobFailed
from generation.models import LanguageModel, ScoringRun
from tests.factory import Factory
from tests.training.algorithms.builders import saved_model, saved_reward_model
from training import scoring_runner
from training.algorithms import scoring
from training.algorithms.models import reward_model_from
from training.algorithms.scoring import MemberScores, Scorer


def queued(factory: Factory, location: str | Path) -> ScoringRun:
    run = factory.scoring_run(status="queued")
    LanguageModel.objects.filter(pk=run.reward_model_id).update(location=str(location))
    return run


def claimed(run: ScoringRun) -> ScoringRun:
    held = jobs.claim(ScoringRun, run.pk)
    assert held is not None
    return held


def test_every_completion_gets_the_score_of_the_reward_model(factory: Factory, tmp_path: Path) -> None:
    run = queued(factory, saved_reward_model(tmp_path))
    jobs.perform(ScoringRun, run.pk, scoring_runner.score)
    run.refresh_from_db()
    completions = list(run.sampling_run.completions.select_related("prompt").order_by("pk"))
    expected = scoring.score_completions(
        tmp_path, [one.prompt.messages for one in completions], [one.text for one in completions]
    )
    assert (run.status, run.num_done, run.num_total) == ("finished", 6, 6)
    scores = dict(run.scores.values_list("completion", "value"))
    assert [scores[one.pk] for one in completions] == pytest.approx(expected, abs=1e-5)


def test_an_ensembles_members_are_kept_beside_their_mean(factory: Factory, tmp_path: Path) -> None:
    model = reward_model_from(saved_model(tmp_path), pad_id=0, num_members=3, seed=1)
    model.network.save_pretrained(tmp_path)
    run = queued(factory, tmp_path)
    jobs.perform(ScoringRun, run.pk, scoring_runner.score)
    scores = list(run.scores.all())
    assert len(scores) == 6
    for score in scores:
        assert len(set(score.members)) == 3
        assert score.value == pytest.approx(sum(score.members) / 3)
        assert score.variance == pytest.approx(sum((one - score.value) ** 2 for one in score.members) / 3)


def test_a_killed_attempt_is_resumed_where_it_stopped(
    factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = queued(factory, saved_reward_model(tmp_path))
    asked: list[str] = []
    real = scoring.reward_scorer

    def dying(location: str) -> Scorer:
        scorer = real(location)

        def scored(conversations: object, completions: list[str]) -> list[MemberScores]:
            if len(asked) == 4:
                asked.append("died")
                raise SystemExit
            asked.extend(completions)
            return scorer(conversations, completions)  # type: ignore[arg-type] # as it came

        return scored  # type: ignore[return-value] # a scorer for this test

    monkeypatch.setattr(scoring, "reward_scorer", dying)
    monkeypatch.setattr(scoring_runner, "CHUNK", 2)
    held = claimed(run)
    with pytest.raises(SystemExit):
        scoring_runner.score(held)
    assert run.scores.count() == 4
    ScoringRun.objects.filter(pk=run.pk).update(status="queued")
    scoring_runner.score(claimed(run))
    texts = list(run.sampling_run.completions.order_by("prompt", "pk").values_list("text", flat=True))
    assert asked == [*texts[:4], "died", *texts[4:]]
    assert run.scores.count() == 6


def test_a_model_that_cannot_be_read_fails_the_run_by_name(factory: Factory, tmp_path: Path) -> None:
    run = queued(factory, tmp_path / "gone")
    with pytest.raises(JobFailed, match="gone"):
        scoring_runner.score(claimed(run))
    assert not run.scores.exists()


def test_a_score_that_is_no_number_is_not_stored(
    factory: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "reward_scorer", lambda location: lambda asked, texts: [(float("nan"),)] * len(texts))
    run = queued(factory, tmp_path)
    with pytest.raises(JobFailed, match="with nan") as raised:
        scoring_runner.score(claimed(run))
    assert raised.value.failure_kind == "not_a_number"
    assert not run.scores.exists()
