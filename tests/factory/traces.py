"""A run trained on a dataset that was frozen from real judgments, for what walks back from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from annotation import runner
from annotation.models import Annotator, Campaign, Dataset
from core import jobs
from tests.factory import Factory
from training.models import Checkpoint, TrainingRun


@dataclass(frozen=True, kw_only=True)
class Traced:
    """What there is from the judgments to the checkpoint."""

    annotators: Sequence[Annotator]
    campaign: Campaign
    dataset: Dataset
    run: TrainingRun
    checkpoint: Checkpoint


def votes(factory: Factory, said: Sequence[str], **fields: Any) -> tuple[Campaign, list[Annotator]]:
    """A campaign: a word for each comparison, a letter for each annotator, who prefers A or B or says nothing (-)."""
    annotators = [factory.judge(f"judge {number}") for number in range(len(said[0]))]
    campaign = factory.campaign(num_comparisons=len(said), overlap=len(annotators), annotators=[*annotators], **fields)
    for comparison, word in zip(campaign.comparisons.order_by("pk"), said, strict=True):
        for slot, annotator, letter in zip(comparison.slots.order_by("number"), annotators, word, strict=True):
            if letter != "-":
                factory.judgment(slot, annotator, tiers=[[0], [1]] if letter == "A" else [[1], [0]])
    return campaign, annotators


def frozen(factory: Factory, campaign: Campaign, **fields: Any) -> Dataset:
    """The campaign's judgments as a dataset, frozen by what a worker calls."""
    dataset = factory.dataset(status="queued", campaigns=[campaign], filter={}, **fields)
    jobs.perform(Dataset, dataset.pk, runner.freeze)
    dataset.refresh_from_db()
    return dataset


def traced(factory: Factory, said: Sequence[str], **fields: Any) -> Traced:
    """Judgments, their dataset, a reward model trained on it, and its checkpoint."""
    campaign, annotators = votes(factory, said)
    dataset = frozen(factory, campaign)
    run = factory.training_run(dataset=dataset, **fields)
    return Traced(annotators=annotators, campaign=campaign, dataset=dataset, run=run, checkpoint=run.checkpoints.get())
