from __future__ import annotations

import pytest

from annotation import queue, runner, services
from annotation.export import NothingToFreeze, file_sha256
from annotation.models import Annotator, Campaign, Dataset, JudgingRun, Judgment
from annotation.question import ranking
from core import jobs
from core.jobs import JobCancelled, StaleAttempt
from tests.factory import Factory


def judging(campaign: Campaign, judge: Annotator) -> JudgingRun:
    """A judging run as the worker that has it would see it."""
    run = services.start_judging_run(campaign=campaign, annotator=judge)
    held = jobs.claim(JudgingRun, run.pk)
    assert held is not None
    return held


def frozen(factory: Factory, name: str, *campaigns: Campaign, **fields: object) -> Dataset:
    dataset = services.start_freeze(workspace=factory.workspace(), name=name, campaigns=campaigns, **fields)  # type: ignore[arg-type] # the test's own words
    jobs.perform(Dataset, dataset.pk, runner.freeze)
    dataset.refresh_from_db()
    return dataset


def with_reply(factory: Factory, campaign: Campaign, *texts: str) -> None:
    """A comparison of these replies to a prompt whose right answer is among them."""
    prompt = factory.prompt()
    completions = factory.completions(prompt, [text.replace("RIGHT", prompt.reference) for text in texts])
    factory.comparison(campaign, prompt, completions=completions)


# Judging


def test_a_judge_prefers_the_right_answer_wherever_it_is_shown(factory: Factory) -> None:
    campaign = factory.campaign(annotators=[])
    for _ in range(12):
        with_reply(factory, campaign, "wrong", "RIGHT")
    run = judging(campaign, factory.judge(strictness="strict"))
    runner.judge(run)
    judgments = Judgment.objects.filter(comparison__campaign=campaign)
    assert [judgment.answer["tiers"] for judgment in judgments] == [[[1], [0]]] * 12
    assert {tuple(judgment.display_order) for judgment in judgments} == {(0, 1), (1, 0)}
    assert (run.num_done, run.num_total) == (12, 12)


def test_the_lenient_judge_grants_what_the_strict_one_does_not(factory: Factory) -> None:
    campaign = factory.campaign(annotators=[], overlap=2, question=ranking(3))
    with_reply(factory, campaign, "RIGHT", "RIGHT.", "wrong")
    strict, lenient = (factory.judge(strictness=word) for word in ("strict", "lenient"))
    for judge in (strict, lenient):
        runner.judge(judging(campaign, judge))
    tiers = {judgment.annotator_id: judgment.answer["tiers"] for judgment in Judgment.objects.all()}
    assert tiers == {strict.pk: [[0], [1, 2]], lenient.pk: [[0, 1], [2]]}


def test_a_second_run_of_the_same_judge_has_nothing_to_do(factory: Factory) -> None:
    campaign, judge = factory.campaign(annotators=[], num_comparisons=3, overlap=2), factory.judge()
    for _ in range(2):
        runner.judge(judging(campaign, judge))
    assert Judgment.objects.count() == 3


def test_a_lost_judges_work_is_taken_up_where_it_stopped(factory: Factory) -> None:
    campaign, judge = factory.campaign(annotators=[], num_comparisons=3), factory.judge()
    run = judging(campaign, judge)
    held = queue.claim_next_slot(campaign=campaign, annotator=judge)  # the worker dies here, holding a slot
    assert held is not None
    runner.judge(run)
    assert Judgment.objects.count() == 3


def test_a_cancelled_judge_stops(factory: Factory) -> None:
    run = judging(factory.campaign(annotators=[], num_comparisons=runner.BATCH), factory.judge())
    jobs.request_cancel(run)
    with pytest.raises(JobCancelled):
        runner.judge(run)
    assert not Judgment.objects.exists()


# Freezing


def test_a_frozen_dataset_is_hashed_counted_and_whole(factory: Factory) -> None:
    campaign = factory.judged_campaign(num_comparisons=5, judges=3)
    dataset = frozen(factory, "Frozen", campaign)
    assert (dataset.status, dataset.num_rows) == ("finished", 5)
    assert (dataset.num_done, dataset.num_total) == (5, 5)
    assert dataset.sha256 == file_sha256(dataset.parquet_path)
    assert dataset.jsonl_sha256 == file_sha256(dataset.jsonl_path)
    assert dataset.counts["judgments"] == 15
    assert dataset.counts["annotators"] == 3
    assert sum(dataset.counts["rows"].values()) == sum(dataset.counts["prompts"].values()) == 5


def test_freezing_the_same_judgments_again_gives_the_same_hash(factory: Factory) -> None:
    campaign = factory.judged_campaign(num_comparisons=5)
    first, second = (frozen(factory, name, campaign) for name in ("Frozen", "Frozen again"))
    assert (first.sha256, first.jsonl_sha256) == (second.sha256, second.jsonl_sha256)
    later = factory.comparison(campaign)
    factory.judgment(later.slots.get(number=0), factory.judge())
    assert frozen(factory, "Later", campaign).sha256 != first.sha256


def test_a_dataset_of_nothing_but_ties_fails_by_name_and_leaves_no_folder(factory: Factory) -> None:
    campaign = factory.campaign(num_comparisons=1)
    factory.judgment(campaign.slots.get(), tiers=[[0, 1]])
    with pytest.raises(NothingToFreeze, match="tied or filtered out"):
        frozen(factory, "Ties", campaign)
    dataset = Dataset.objects.get()
    assert (dataset.status, dataset.failure_kind, dataset.sha256) == ("failed", "nothing-to-freeze", "")
    assert not dataset.folder.exists()


def test_reference_answers_are_frozen_as_demonstrations(factory: Factory) -> None:
    prompt_set = factory.prompt_set(num_prompts=10)
    dataset = frozen(factory, "Demonstrations", prompt_set=prompt_set, kind="demonstrations")
    assert (dataset.num_rows, dataset.counts["judgments"]) == (10, 0)


def test_judged_completions_are_frozen_as_demonstrations(factory: Factory) -> None:
    campaign = factory.judged_campaign(num_comparisons=3)
    dataset = frozen(factory, "Best", campaign, kind="demonstrations")
    assert (dataset.status, dataset.num_rows) == ("finished", 2)


def test_an_attempt_that_lost_the_row_does_not_fill_it_in(factory: Factory) -> None:
    dataset = services.start_freeze(workspace=factory.workspace(), name="Frozen", campaigns=[factory.judged_campaign()])
    old = jobs.claim(Dataset, dataset.pk)
    assert old is not None
    Dataset.objects.filter(pk=old.pk).update(attempt=2)
    with pytest.raises(StaleAttempt):
        runner.freeze(old)
    dataset.refresh_from_db()
    assert dataset.sha256 == ""
