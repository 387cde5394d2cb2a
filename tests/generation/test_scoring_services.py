"""Scoring runs before a worker has them, and what their scores say."""

from __future__ import annotations

import pytest

from generation import scoring_services as services
from generation.models import LanguageModel, ScoringRun
from generation.score_report import report_of
from generation.scoring_services import ScoringRefused
from tests.factory import Factory


def test_what_cannot_be_scored_is_refused(factory: Factory) -> None:
    run, running = factory.sampling_run(), factory.sampling_run(status="running")
    cancelled = factory.sampling_run(status="cancelled")
    reward, policy = factory.model(kind=LanguageModel.Kind.REWARD), factory.model()
    served = factory.model(kind=LanguageModel.Kind.REWARD, source="served", endpoint_url="http://localhost:1")
    elsewhere = factory.model(kind=LanguageModel.Kind.REWARD, workspace=factory.workspace("Elsewhere"))
    for sampling_run, model, reason in (
        (run, policy, "not a reward model"),
        (run, served, "no weights here"),
        (run, elsewhere, "must belong"),
        (running, reward, "goes on"),
        (cancelled, reward, "no completions"),
    ):
        with pytest.raises(ScoringRefused, match=reason):
            services.start_scoring_run(
                workspace=factory.workspace(), name="Try", sampling_run=sampling_run, reward_model=model
            )
    assert not ScoringRun.objects.exists()


def test_the_report_leaves_near_duplicates_out_of_gaps_and_ranks_arms(factory: Factory) -> None:
    prompt_set, models = factory.prompt_set(num_prompts=1), [factory.model("Good"), factory.model("Bad")]
    sampling_run = factory.sampling_run(prompt_set, models=models)
    run = factory.scoring_run(sampling_run, values=[2.0, 9.0, -1.0, 1.0])
    repeated = sampling_run.completions.order_by("pk")[1]
    repeated.duplicate_of = sampling_run.completions.earliest("pk")
    repeated.save(update_fields=["duplicate_of"])
    found = report_of(run)
    assert (found.num_scores, found.num_spread, found.mean_gap) == (4, 1, 3.0)
    assert [(one.best.value, one.worst.value) for one in found.widest] == [(2.0, -1.0)]
    assert [(str(one.arm), one.mean) for one in found.arms] == [("Good", 5.5), ("Bad", 0.0)]


def test_the_report_of_an_ensemble_shows_how_far_and_where_its_members_disagree(factory: Factory) -> None:
    sampling_run = factory.sampling_run(factory.prompt_set(num_prompts=2), num_completions=2)
    agreed, torn = [[4.0, 4.0], [0.0, 0.0]], [[3.0, -1.0], [0.0, 1.0]]
    run = factory.scoring_run(sampling_run, members=[*agreed, *torn])
    found = report_of(run)
    assert found.num_members == 2
    assert found.mean_variance == pytest.approx((0 + 0 + 4 + 0.25) / 4)
    first, second = found.most_disputed
    assert [score.value for score in first.scores] == [1.0, 0.5]
    assert first.disagreement > 0.1
    assert second.disagreement == 0
    assert [score.deviation for score in first.scores] == [2.0, 0.5]


def test_a_single_head_disputes_nothing(factory: Factory) -> None:
    run = factory.scoring_run()
    found = report_of(run)
    assert (found.num_members, found.mean_variance, found.most_disputed) == (1, None, [])
    assert not run.is_by_ensemble
    assert {score.variance for score in run.scores.all()} == {None}
