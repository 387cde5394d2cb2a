"""Comparisons chosen by a reward model's scores."""

from __future__ import annotations

import pytest

from annotation import services
from annotation.comparison_choice import ChoiceRefused
from annotation.models import Campaign
from annotation.question import ranking
from generation.models import SamplingRun, ScoringRun
from tests.factory import Factory

VALUES = [0.0, 5.0, 1.0, 4.5]  # of the four replies to each of two prompts


@pytest.fixture
def run(factory: Factory) -> SamplingRun:
    return factory.sampling_run(factory.prompt_set(num_prompts=2), num_completions=4)


@pytest.fixture
def scored(factory: Factory, run: SamplingRun) -> ScoringRun:
    return factory.scoring_run(run, values=VALUES * 2)


def indices(campaign: Campaign) -> list[set[int]]:
    """Of each comparison the places of its replies among those to the prompt."""
    rows = campaign.comparisons.order_by("pk").prefetch_related("completions")
    return [{completion.index for completion in one.completions.all()} for one in rows]


def test_the_widest_pair_of_each_prompt_is_its_best_and_its_worst(
    factory: Factory, run: SamplingRun, scored: ScoringRun
) -> None:
    campaign = factory.campaign()
    added = services.add_comparisons(
        campaign=campaign, sampling_run=run, max_per_prompt=1, choice="widest", scoring_run=scored
    )
    assert added == 2
    assert indices(campaign) == [{0, 1}, {0, 1}]
    assert set(campaign.comparisons.values_list("choice", "scoring_run")) == {("widest", scored.pk)}


def test_the_closest_pairs_are_what_the_reward_model_can_hardly_tell_apart(
    factory: Factory, run: SamplingRun, scored: ScoringRun
) -> None:
    campaign = factory.campaign()
    services.add_comparisons(
        campaign=campaign, sampling_run=run, max_per_prompt=2, choice="closest", scoring_run=scored
    )
    assert indices(campaign) == [{1, 3}, {0, 2}] * 2


def test_the_most_disputed_pair_is_what_an_ensembles_members_put_in_different_orders(
    factory: Factory, run: SamplingRun
) -> None:
    members = [[0.0, 0.0], [9.0, 9.0], [1.0, 4.0], [4.0, 1.0]]
    scored, campaign = factory.scoring_run(run, members=members * 2), factory.campaign()
    services.add_comparisons(
        campaign=campaign, sampling_run=run, max_per_prompt=1, choice="disputed", scoring_run=scored
    )
    assert indices(campaign) == [{2, 3}, {2, 3}]
    assert set(campaign.comparisons.values_list("choice", "scoring_run")) == {("disputed", scored.pk)}


def test_rankings_take_the_best_the_worst_and_what_lies_evenly_between(
    factory: Factory, run: SamplingRun, scored: ScoringRun
) -> None:
    campaign = factory.campaign(question=ranking(3))
    services.add_comparisons(campaign=campaign, sampling_run=run, max_per_prompt=1, choice="widest", scoring_run=scored)
    assert indices(campaign) == [{0, 1, 2}, {0, 1, 2}]


def test_replies_without_a_score_and_near_duplicates_are_not_chosen(
    factory: Factory, run: SamplingRun, scored: ScoringRun
) -> None:
    scored.scores.filter(completion__index=0).delete()
    run.completions.filter(index=1).update(duplicate_of=run.completions.earliest("pk"))
    campaign = factory.campaign()
    services.add_comparisons(campaign=campaign, sampling_run=run, choice="widest", scoring_run=scored)
    assert indices(campaign) == [{2, 3}, {2, 3}]


def test_a_choice_without_whole_scores_of_these_replies_is_refused(
    factory: Factory, run: SamplingRun, scored: ScoringRun
) -> None:
    running = factory.scoring_run(run, "running")
    for choice, scoring_run, reason in (
        ("widest", None, "Name a scoring run"),
        ("random", scored, "none to choose at random"),
        ("nearest", scored, "must be one of random, widest, closest, disputed"),
        ("widest", factory.scoring_run(), "another sampling run"),
        ("closest", running, "is running; its scores are not whole"),
        ("disputed", scored, "has a single head, and nobody to disagree with"),
    ):
        with pytest.raises(ChoiceRefused, match=reason):
            services.add_comparisons(
                campaign=factory.campaign(), sampling_run=run, choice=choice, scoring_run=scoring_run
            )
