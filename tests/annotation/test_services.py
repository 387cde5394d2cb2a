from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from annotation import services
from annotation.dataset_filter import FilterInvalid
from annotation.judges import JudgeInvalid
from annotation.models import Annotator, Campaign, Candidate, Dataset, JudgingRun
from annotation.question import pairwise, ranking
from annotation.services import CampaignRefused, DatasetRefused
from core.errors import IllegalTransition
from generation.candidate_marking import mark_candidates
from tests.conftest import Doorbell
from tests.factory import Factory

Capture = Callable[..., Any]

# Campaigns


def test_a_campaign_starts_as_a_draft_that_keeps_its_question(factory: Factory) -> None:
    campaign = services.create_campaign(
        workspace=factory.workspace(), name="Sums", question=ranking(3), overlap=2, user=factory.alice()
    )
    assert (campaign.status, campaign.overlap, campaign.created_by) == ("draft", 2, factory.alice())
    assert campaign.question == ranking(3).to_json()


def test_a_campaigns_name_is_taken_once_per_workspace(factory: Factory) -> None:
    factory.campaign("Sums")
    with pytest.raises(CampaignRefused, match="Sums"):
        services.create_campaign(workspace=factory.workspace(), name="Sums", question=pairwise())
    elsewhere = factory.workspace("Elsewhere")
    assert services.create_campaign(workspace=elsewhere, name="Sums", question=pairwise()).workspace == elsewhere


@pytest.mark.parametrize("fields", [{"overlap": 0}, {"lease_seconds": 0}])
def test_a_campaign_that_wants_nothing_is_refused(factory: Factory, fields: dict[str, Any]) -> None:
    with pytest.raises(CampaignRefused, match="at least 1"):
        services.create_campaign(workspace=factory.workspace(), name="Sums", question=pairwise(), **fields)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("draft", "open"),
        ("draft", "closed"),
        ("open", "paused"),
        ("open", "closed"),
        ("paused", "open"),
        ("paused", "closed"),
    ],
)
def test_a_campaign_moves_along_its_life(factory: Factory, before: str, after: str) -> None:
    campaign = factory.campaign(status=before, num_comparisons=1)
    assert services.set_status(campaign=campaign, status=after).status == after
    campaign.refresh_from_db()
    assert campaign.status == after


@pytest.mark.parametrize(
    ("before", "after"),
    [("draft", "paused"), ("open", "draft"), ("open", "open"), ("closed", "open"), ("draft", "burnt")],
)
def test_a_campaign_moves_nowhere_else(factory: Factory, before: str, after: str) -> None:
    campaign = factory.campaign(status=before, num_comparisons=1)
    with pytest.raises(IllegalTransition, match=f"is {before} and cannot become {after}"):
        services.set_status(campaign=campaign, status=after)
    campaign.refresh_from_db()
    assert campaign.status == before


def test_a_stale_copy_of_a_campaign_cannot_reopen_it(factory: Factory) -> None:
    stale = factory.campaign(status="paused", num_comparisons=1)
    services.set_status(campaign=Campaign.objects.get(pk=stale.pk), status="closed")
    with pytest.raises(IllegalTransition):
        services.set_status(campaign=stale, status="open")


def test_an_empty_campaign_cannot_be_opened(factory: Factory) -> None:
    with pytest.raises(IllegalTransition, match="no comparisons"):
        services.set_status(campaign=factory.campaign(status="draft"), status="open")


# Comparisons


def test_all_pairs_of_a_prompts_completions_are_compared_once(factory: Factory) -> None:
    campaign = factory.campaign(status="draft")
    run = factory.sampling_run(factory.prompt_set(num_prompts=2), num_completions=3)
    assert services.add_comparisons(campaign=campaign, sampling_run=run) == 6
    assert services.add_comparisons(campaign=campaign, sampling_run=run, seed=7) == 0
    assert campaign.comparisons.count() == 6


def test_the_numbers_of_comparisons_can_be_limited(factory: Factory) -> None:
    run = factory.sampling_run(factory.prompt_set(num_prompts=4), num_completions=3)
    by_prompt, in_all = factory.campaign(), factory.campaign()
    assert services.add_comparisons(campaign=by_prompt, sampling_run=run, max_per_prompt=2) == 8
    assert services.add_comparisons(campaign=in_all, sampling_run=run, max_comparisons=5) == 5


def test_the_same_seed_chooses_the_same_comparisons(factory: Factory) -> None:
    run = factory.sampling_run(factory.prompt_set(num_prompts=6), num_completions=4)
    chosen = []
    for seed in (1, 1, 2):
        campaign = factory.campaign()
        services.add_comparisons(campaign=campaign, sampling_run=run, max_comparisons=8, seed=seed)
        chosen.append(set(campaign.comparisons.values_list("fingerprint", flat=True)))
    assert chosen[0] == chosen[1] != chosen[2]


def test_near_duplicates_are_never_compared(factory: Factory) -> None:
    prompt = factory.prompt()
    factory.completions(prompt, ["14", "14 ", "15"], model=factory.model())
    run = prompt.completions.earliest("pk").sampling_run
    assert run is not None
    mark_candidates(run)
    campaign = factory.campaign()
    assert services.add_comparisons(campaign=campaign, sampling_run=run) == 1
    texts = Candidate.objects.filter(comparison__campaign=campaign).values_list("completion__text", flat=True)
    assert sorted(texts) == ["14", "15"]


def test_comparisons_that_do_not_fit_the_campaign_are_refused(factory: Factory) -> None:
    run = factory.sampling_run()
    theirs = factory.sampling_run(factory.prompt_set(num_prompts=1, workspace=factory.workspace("Elsewhere")))
    with pytest.raises(CampaignRefused, match="closed"):
        services.add_comparisons(campaign=factory.campaign(status="closed"), sampling_run=run)
    with pytest.raises(CampaignRefused, match="workspace"):
        services.add_comparisons(campaign=factory.campaign(), sampling_run=theirs)
    with pytest.raises(CampaignRefused, match="compares 2 completions, not 3"):
        services.add_comparisons(campaign=factory.campaign(), sampling_run=run, size=3)


# Annotators


def test_a_user_is_one_annotator_of_a_workspace(factory: Factory) -> None:
    bob, workspace = factory.bob(), factory.workspace()
    first = services.person_annotator(workspace=workspace, user=bob)
    assert services.person_annotator(workspace=workspace, user=bob) == first
    assert services.person_annotator(workspace=factory.workspace("Elsewhere"), user=bob) != first
    assert first.kind == "person"


def test_a_judge_with_a_wrong_parameter_or_a_taken_name_is_refused(factory: Factory) -> None:
    fields: dict[str, Any] = {"workspace": factory.workspace(), "protocol": "rubric"}
    with pytest.raises(JudgeInvalid):
        services.create_judge(name="Judge", parameters={"strictness": "harsh"}, **fields)
    assert not Annotator.objects.filter(kind="judge").exists()
    judge = services.create_judge(name="Judge", parameters={"strictness": "strict"}, **fields)
    assert (judge.kind, judge.user) == ("judge", None)
    with pytest.raises(CampaignRefused, match="Judge"):
        services.create_judge(name="Judge", parameters={"strictness": "lenient"}, **fields)


def test_enrolling_again_lifts_a_pause(factory: Factory) -> None:
    campaign, bob = factory.campaign(annotators=[]), factory.person()
    enrolment = services.enrol(campaign=campaign, annotator=bob)
    enrolment.is_active, enrolment.pause_reason = False, "too fast"
    enrolment.save()
    again = services.enrol(campaign=campaign, annotator=bob)
    assert (again.pk, again.is_active, again.pause_reason) == (enrolment.pk, True, "")


def test_an_annotator_of_another_workspace_is_not_enrolled(factory: Factory) -> None:
    stranger = factory.person(factory.charlie(), factory.workspace("Elsewhere"))
    with pytest.raises(CampaignRefused, match="workspace"):
        services.enrol(campaign=factory.campaign(), annotator=stranger)


def test_a_judging_run_enrols_the_judge_and_rings(
    factory: Factory, doorbells: list[Doorbell], django_capture_on_commit_callbacks: Capture
) -> None:
    campaign, judge = factory.campaign(annotators=[]), factory.judge()
    with django_capture_on_commit_callbacks(execute=True):
        run = services.start_judging_run(campaign=campaign, annotator=judge)
    assert campaign.enrolments.get().annotator == judge
    assert doorbells == [Doorbell("annotation.tasks.run_judging", [run.pk], "light")]


def test_people_do_not_judge_in_the_background(factory: Factory) -> None:
    with pytest.raises(CampaignRefused, match="is not a judge"):
        services.start_judging_run(campaign=factory.campaign(), annotator=factory.person())
    assert not JudgingRun.objects.exists()


# Datasets


def freeze(factory: Factory, **fields: Any) -> Dataset:
    return services.start_freeze(**{"workspace": factory.workspace(), "name": "Frozen", **fields})


def test_a_freeze_is_queued_with_its_whole_filter(factory: Factory) -> None:
    campaign = factory.campaign()
    dataset = freeze(factory, campaigns=[campaign], filter={"min_votes": 2})
    assert (dataset.status, list(dataset.campaigns.all())) == ("queued", [campaign])
    assert dataset.filter == {
        "excluded_annotators": [],
        "min_votes": 2,
        "min_p_chosen": 0.5,
        "consensus": "",
        "judged_until": "",
    }


@pytest.mark.parametrize("moment", ["yesterday", "2026-05-01T12:00:00", 7, "2026-13-01T12:00:00Z"])
def test_a_moment_that_is_not_clear_is_refused(factory: Factory, moment: object) -> None:
    with pytest.raises(FilterInvalid, match="judged_until must be a time with its zone"):
        freeze(factory, campaigns=[factory.campaign()], filter={"judged_until": moment})


def test_a_datasets_name_is_taken_once(factory: Factory) -> None:
    factory.dataset("Frozen")
    with pytest.raises(DatasetRefused, match="datasets never change"):
        freeze(factory, campaigns=[factory.campaign()])


def test_a_dataset_of_nothing_of_both_or_of_the_wrong_kind_is_refused(factory: Factory) -> None:
    campaign, prompt_set = factory.campaign(), factory.prompt_set()
    with pytest.raises(DatasetRefused, match="either campaigns"):
        freeze(factory)
    with pytest.raises(DatasetRefused, match="either campaigns"):
        freeze(factory, campaigns=[campaign], prompt_set=prompt_set)
    with pytest.raises(DatasetRefused, match="demonstrations only"):
        freeze(factory, prompt_set=prompt_set)
    with pytest.raises(DatasetRefused, match="kind must be one of"):
        freeze(factory, campaigns=[campaign], kind="poems")


def test_campaigns_and_prompts_of_another_workspace_are_not_frozen(factory: Factory) -> None:
    elsewhere = factory.workspace("Elsewhere")
    with pytest.raises(DatasetRefused, match="workspace"):
        freeze(factory, campaigns=[factory.campaign(), factory.campaign(workspace=elsewhere)])
    with pytest.raises(DatasetRefused, match="workspace"):
        freeze(factory, prompt_set=factory.prompt_set(workspace=elsewhere), kind="demonstrations")


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_voters": 1},
        {"min_votes": 0},
        {"min_votes": True},
        {"min_votes": "2"},
        {"min_p_chosen": 0.4},
        {"min_p_chosen": None},
        {"excluded_annotators": 3},
        {"excluded_annotators": [True]},
        ["min_votes"],
    ],
)
def test_a_filter_that_means_nothing_is_refused_by_its_key(factory: Factory, wrong: Any) -> None:
    key = next(iter(json.loads(json.dumps(wrong))))
    with pytest.raises(FilterInvalid, match=key):
        freeze(factory, campaigns=[factory.campaign()], filter=wrong)
    assert not Dataset.objects.exists()
