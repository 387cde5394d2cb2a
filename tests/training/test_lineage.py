"""What a checkpoint rests on, as a graph."""

from __future__ import annotations

from typing import Any

from generation.models import LanguageModel
from tests.factory import Factory
from tests.factory.traces import traced
from training.lineage import Lineage, lineage_of
from training.models import Checkpoint


def relations(lineage: Lineage) -> set[tuple[str, str, str]]:
    """(name of what rests, relation, name of what it rests on)"""
    return {(lineage.nodes[edge.child].name, edge.relation, lineage.nodes[edge.parent].name) for edge in lineage.edges}


def published(factory: Factory, checkpoint: Checkpoint, name: str, **fields: Any) -> LanguageModel:
    model = factory.model(name, **fields)
    checkpoint.language_model = model
    checkpoint.save(update_fields=["language_model"])
    return model


def test_a_reward_model_rests_on_its_dataset_and_the_campaign_behind_it(factory: Factory) -> None:
    made = traced(factory, ["AA"], name="RM")

    lineage = lineage_of(made.checkpoint)

    assert lineage.is_complete
    assert lineage.nodes[lineage.root].facts["manifest_sha256"] == made.checkpoint.manifest_sha256
    assert lineage.nodes[f"dataset-{made.dataset.pk}"].facts["sha256"] == made.dataset.sha256
    found = relations(lineage)
    assert ("RM", "trained on", str(made.dataset)) in found
    assert (str(made.dataset), "judgments of", str(made.campaign)) in found
    assert ("RM", "started from", str(made.run.init_model)) in found


def test_ppo_reaches_the_judgments_through_its_reward_model(factory: Factory) -> None:
    made = traced(factory, ["AA"], name="RM")
    reward_model = published(factory, made.checkpoint, "Reward", kind="reward")
    sft = factory.training_run("SFT run", algorithm="sft").checkpoints.get()
    policy = published(factory, sft, "SFT")
    run = factory.training_run("PPO run", algorithm="ppo", init_model=policy, reward_model=reward_model)

    found = relations(lineage_of(run.checkpoints.get()))

    assert ("PPO run", "rewarded by", "Reward") in found
    assert ("Reward", "made by", "RM") in found
    assert ("RM", "trained on", str(made.dataset)) in found
    assert ("PPO run", "started from", "SFT") in found
    assert ("SFT", "made by", "SFT run") in found


def test_rounds_are_seen_through_the_replies_that_were_compared(factory: Factory) -> None:
    first = factory.training_run("round 1", algorithm="dpo").checkpoints.get()
    policy = published(factory, first, "Policy 1")
    prompt_set = factory.prompt_set("Prompts", num_prompts=1)
    sampling = factory.sampling_run(prompt_set, models=[policy])
    campaign = factory.campaign("Campaign 2")
    completions = list(sampling.completions.all()[:2])
    factory.comparison(campaign, completions[0].prompt, completions=completions)
    run = factory.training_run("round 2", algorithm="dpo", dataset=factory.dataset(campaigns=[campaign]))

    found = relations(lineage_of(run.checkpoints.get()))

    assert ("Campaign 2", "compared replies of", str(sampling)) in found
    assert (str(sampling), "written by", "Policy 1") in found
    assert (str(sampling), "prompts of", "Prompts") in found
    assert ("Policy 1", "made by", "round 1") in found


def test_a_thing_that_two_rest_on_is_one_node(factory: Factory) -> None:
    model = factory.model("Base")
    first = factory.training_run("first", algorithm="dpo", init_model=model).checkpoints.get()
    policy = published(factory, first, "Policy 1", parent=model)
    run = factory.training_run("second", algorithm="dpo", init_model=policy)

    lineage = lineage_of(run.checkpoints.get())

    names = [node.name for node in lineage.nodes.values()]
    assert names.count("Base") == 1
    assert len(names) == len(set(lineage.nodes))
