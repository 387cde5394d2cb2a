"""The next round: a published checkpoint writes what is judged next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from annotation import runner as annotation_runner
from annotation import services as annotation
from annotation.models import Annotator, Campaign, Dataset, JudgingRun
from annotation.question import pairwise
from core import jobs
from generation import runner as sampling_runner
from generation.models import LanguageModel, PromptSet, SamplingArm, SamplingRun
from generation.services import ArmSpec, start_sampling_run
from pipeline import rounds
from pipeline.models import Round
from pipeline.rounds import RoundRefused
from tests.factory import Factory
from tests.generation.engines import tiny_model
from tests.pipeline.tiny import SHORT
from training import runner as training_runner
from training import services as training
from training.lineage import lineage_of
from training.models import TrainingRun


def published(factory: Factory, name: str = "Policy", **fields: Any) -> LanguageModel:
    """A model that a checkpoint was published as."""
    checkpoint = factory.training_run(algorithm="dpo").checkpoints.get()
    model = factory.model(name, **fields)
    checkpoint.language_model = model
    checkpoint.save(update_fields=["language_model"])
    return model


def judged_before(factory: Factory) -> Campaign:
    """A campaign about sampled replies, with settings of its own and one paused annotator."""
    sampling = factory.sampling_run(factory.prompt_set("Prompts", num_prompts=3))
    SamplingArm.objects.filter(run=sampling).update(temperature=0.7, max_new_tokens=33, stop=["."])
    campaign = factory.campaign("Round 1", overlap=2, lease_seconds=99, gold_every=7, guidelines="Be kind.")
    annotation.add_comparisons(campaign=campaign, sampling_run=sampling)
    factory.enrolment(campaign, factory.judge("active"))
    paused = factory.enrolment(campaign, factory.judge("paused"))
    paused.is_active = False
    paused.save()
    return campaign


def test_the_new_campaign_asks_as_the_former_did(factory: Factory) -> None:
    former, model = judged_before(factory), published(factory)

    found = rounds.start_round(model=model, former=former)

    new = found.campaign
    assert (new.status, found.status, found.number) == ("draft", "sampling", 2)
    for name in ("question", "guidelines", "overlap", "lease_seconds", "gold_every"):
        assert getattr(new, name) == getattr(former, name)
    assert {one.annotator.name for one in new.enrolments.all()} == {"bob", "active"}


def test_the_checkpoint_samples_as_the_former_arm_did(factory: Factory) -> None:
    former, model = judged_before(factory), published(factory)

    run = rounds.start_round(model=model, former=former).sampling_run

    [arm] = run.arms.all()
    assert (arm.model, arm.temperature, arm.max_new_tokens, arm.stop) == (model, 0.7, 33, ["."])
    assert (run.prompt_set.name, arm.num_completions) == ("Prompts", 2)


def test_another_model_may_stand_beside_it(factory: Factory) -> None:
    former, base = judged_before(factory), factory.model("Base")
    model = published(factory, parent=base)

    run = rounds.start_round(model=model, former=former, beside=base, num_completions=1).sampling_run

    assert [(arm.model, arm.num_completions) for arm in run.arms.all()] == [(model, 1), (base, 1)]


def test_a_round_after_a_round_is_the_third(factory: Factory) -> None:
    former, model = judged_before(factory), published(factory)
    second = rounds.start_round(model=model, former=former)

    third = rounds.start_round(model=model, former=second.campaign, prompt_set=factory.prompt_set(num_prompts=2))

    assert third.number == 3
    assert third.campaign.name != second.campaign.name


def filled(found: Round, factory: Factory) -> Round:
    """With two different replies to each prompt, as sampling leaves them; then what beat does, twice."""
    arm = found.sampling_run.arms.get()
    for prompt in found.sampling_run.prompt_set.prompts.all():
        made = factory.completions(prompt, [f"one {prompt.pk}", f"two {prompt.pk}"], model=arm.model)
        for index, completion in enumerate(made):
            completion.sampling_run, completion.arm, completion.index = found.sampling_run, arm, index
            completion.save()
    SamplingRun.objects.filter(pk=found.sampling_run_id).update(status="finished")
    assert rounds.fill_waiting() == 1
    assert rounds.fill_waiting() == 0
    found.refresh_from_db()
    return found


@pytest.mark.parametrize(("opens", "status"), [(True, "open"), (False, "draft")])
def test_the_campaign_is_filled_when_the_replies_are_there(factory: Factory, opens: bool, status: str) -> None:
    found = rounds.start_round(model=published(factory), former=judged_before(factory), opens=opens)
    assert rounds.fill_waiting() == 0

    found = filled(found, factory)

    assert (found.status, found.campaign.status) == ("filled", status)
    assert found.campaign.comparisons.count() == 3


def test_failed_sampling_is_told_and_leaves_a_draft(factory: Factory) -> None:
    found = rounds.start_round(model=published(factory), former=judged_before(factory))
    SamplingRun.objects.filter(pk=found.sampling_run_id).update(status="failed", error="The disk is full.")

    rounds.fill_waiting()

    found.refresh_from_db()
    assert (found.status, found.campaign.status) == ("failed", "draft")
    assert "The disk is full." in found.error


def test_replies_that_are_all_alike_are_told(factory: Factory) -> None:
    found = rounds.start_round(model=published(factory), former=judged_before(factory))
    SamplingRun.objects.filter(pk=found.sampling_run_id).update(status="finished")

    rounds.fill_waiting()

    found.refresh_from_db()
    assert "holds no 2 different replies" in found.error


def test_only_published_checkpoints_write_rounds(factory: Factory) -> None:
    with pytest.raises(RoundRefused, match="no published checkpoint"):
        rounds.start_round(model=factory.model(), former=judged_before(factory))


def test_a_model_does_not_stand_beside_itself(factory: Factory) -> None:
    model = published(factory)
    with pytest.raises(RoundRefused, match="beside itself"):
        rounds.start_round(model=model, former=judged_before(factory), beside=model)


def test_imported_replies_need_a_prompt_set_to_be_named(factory: Factory) -> None:
    former = factory.campaign()
    with pytest.raises(RoundRefused, match="name the prompt_set"):
        rounds.start_round(model=published(factory), former=former)


def test_nothing_of_another_workspace_joins(factory: Factory) -> None:
    stranger = factory.prompt_set(num_prompts=1, workspace=factory.workspace("Elsewhere"))
    with pytest.raises(RoundRefused, match="one workspace"):
        rounds.start_round(model=published(factory), former=judged_before(factory), prompt_set=stranger)


@pytest.mark.django_db(transaction=True)
def test_two_rounds_from_end_to_end(factory: Factory, tmp_path: Path) -> None:
    """Sampling, judging, freezing and DPO twice, by what workers call; the second round by the first one's policy."""
    tokenizer = tiny_model.build_tokenizer(["What is 1 plus 1?", "2 3 4 5 6 7"])
    tiny_model.save(tmp_path / "base", tiny_model.build_model(tokenizer), tokenizer)
    model = factory.model("Base", location=tmp_path / "base")
    judge = factory.judge("Rubric", strictness="lenient")
    prompts = factory.prompt_set("Sums", num_prompts=6)
    sampling = _sampled(factory, prompts, model)
    campaign = factory.campaign("Round 1", question=pairwise(), annotators=[judge])
    annotation.add_comparisons(campaign=campaign, sampling_run=sampling)
    first = _trained(factory, campaign, judge, model, "Policy 1")

    found = rounds.start_round(model=first, former=campaign)
    jobs.perform(SamplingRun, found.sampling_run_id, sampling_runner.sample)
    rounds.fill_waiting()
    found.refresh_from_db()
    assert found.status == "filled", found.error
    second = _trained(factory, found.campaign, judge, first, "Policy 2")

    lineage = lineage_of(second.checkpoint)
    names = {node.name for node in lineage.nodes.values()}
    assert {"Policy 2", "Policy 1", "Base", "Round 1", found.campaign.name, "Sums"} <= names
    said = {(lineage.nodes[edge.child].name, edge.relation, lineage.nodes[edge.parent].name) for edge in lineage.edges}
    assert (found.sampling_run.name, "written by", "Policy 1") in said


def _sampled(factory: Factory, prompts: PromptSet, model: LanguageModel) -> SamplingRun:
    arm = ArmSpec(model=model, num_completions=2, max_new_tokens=6)
    run = start_sampling_run(workspace=factory.workspace(), name="First", prompt_set=prompts, arms=[arm])
    jobs.perform(SamplingRun, run.pk, sampling_runner.sample)
    return run


def _trained(factory: Factory, campaign: Campaign, judge: Annotator, model: LanguageModel, name: str) -> LanguageModel:
    """Judge, freeze, train for two steps, publish. Where the judge sees no difference, the first reply is better."""
    if campaign.status != "open":
        annotation.set_status(campaign=campaign, status="open")
    judging = annotation.start_judging_run(campaign=campaign, annotator=judge)
    jobs.perform(JudgingRun, judging.pk, annotation_runner.judge)
    for judgment in (one for slot in campaign.slots.all() for one in slot.judgments.all()):
        judgment.answer = {"tiers": [[0], [1]]}
        judgment.save()
    dataset = annotation.start_freeze(workspace=factory.workspace(), name=f"For {name}", campaigns=[campaign])
    jobs.perform(Dataset, dataset.pk, annotation_runner.freeze)
    dataset.refresh_from_db()
    run = training.start_training_run(
        workspace=factory.workspace(), name=name, algorithm="dpo", config=SHORT, dataset=dataset, init_model=model
    )
    jobs.perform(TrainingRun, run.pk, training_runner.train)
    return training.publish_checkpoint(checkpoint=run.checkpoints.get(is_final=True), name=name)
